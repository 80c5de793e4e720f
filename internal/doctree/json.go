package doctree

import (
	"encoding/json"
	"errors"
	"strings"
)

// parseJSON checks the syntax of the whole document first, so that walking its tokens cannot fail
// half way.
func parseJSON(b *builder) (*Node, error) {
	var checked json.RawMessage
	if err := json.Unmarshal([]byte(b.text), &checked); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, errorf(min(max(int(syntax.Offset)-1, 0), len(b.text)), "%s", syntax.Error())
		}
		return nil, err
	}
	j := jsonReader{builder: b, decoder: json.NewDecoder(strings.NewReader(b.text))}
	j.decoder.UseNumber()
	return j.value(1)
}

// jsonReader walks the tokens of a document that is known to be JSON.
type jsonReader struct {
	*builder
	decoder *json.Decoder
}

// next returns the next token and where it starts.
func (j *jsonReader) next() (json.Token, int, error) {
	from := int(j.decoder.InputOffset())
	rest := j.text[from:]
	pos := from + len(rest) - len(strings.TrimLeft(rest, " \t\r\n,:"))
	token, err := j.decoder.Token()
	return token, pos, err
}

func (j *jsonReader) value(depth int) (*Node, error) {
	token, pos, err := j.next()
	if err != nil {
		return nil, err
	}
	n, err := j.node(Null, pos, "", depth)
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case bool:
		n.Kind, n.Text = Bool, "false"
		if token {
			n.Text = "true"
		}
	case string:
		n.Kind, n.Text = Text, token
	case json.Number:
		n.Kind, n.Text = Int, token.String()
		if strings.ContainsAny(n.Text, ".eE") {
			n.Kind = Float
		}
	case json.Delim:
		return n, j.children(n, token, depth+1)
	}
	return n, nil
}

// children reads the rest of a list or an object into n.
func (j *jsonReader) children(n *Node, open json.Delim, depth int) error {
	n.Kind = List
	if open == '{' {
		n.Kind = Table
	}
	for j.decoder.More() {
		if err := j.child(n, depth); err != nil {
			return err
		}
	}
	_, err := j.decoder.Token()
	return err
}

func (j *jsonReader) child(n *Node, depth int) error {
	if n.Kind == List {
		item, err := j.value(depth)
		n.Items = append(n.Items, item)
		return err
	}
	key, pos, err := j.next()
	if err != nil {
		return err
	}
	value, err := j.value(depth)
	if err != nil {
		return err
	}
	name, _ := key.(string)
	return n.put(name, pos, value)
}
