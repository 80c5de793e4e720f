package config

import (
	"encoding/json"
	"errors"
	"strings"
)

// parseJSON checks the syntax of the whole document first, so that walking its tokens cannot fail
// half way.
func parseJSON(b *builder) (*node, error) {
	var checked json.RawMessage
	if err := json.Unmarshal([]byte(b.src.text), &checked); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, syntaxErrorf(int(syntax.Offset)-1, "%s", syntax.Error())
		}
		return nil, err
	}
	j := jsonReader{builder: b, decoder: json.NewDecoder(strings.NewReader(b.src.text))}
	j.decoder.UseNumber()
	return j.value()
}

type jsonReader struct {
	*builder
	decoder *json.Decoder
}

// next returns the next token and where it starts.
func (j *jsonReader) next() (json.Token, int, error) {
	from := int(j.decoder.InputOffset())
	text := j.src.text[from:]
	pos := from + len(text) - len(strings.TrimLeft(text, " \t\r\n,:"))
	token, err := j.decoder.Token()
	return token, pos, err
}

func (j *jsonReader) value() (*node, error) {
	token, pos, err := j.next()
	if err != nil {
		return nil, err
	}
	n, err := j.node(kindNull, pos, "")
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case bool:
		n.kind, n.text = kindBool, "false"
		if token {
			n.text = "true"
		}
	case string:
		n.kind, n.text = kindString, token
	case json.Number:
		n.kind, n.text = kindInt, token.String()
		if strings.ContainsAny(n.text, ".eE") {
			n.kind = kindFloat
		}
	case json.Delim:
		return n, j.children(n, token)
	}
	return n, nil
}

// children reads the rest of a list or an object into n.
func (j *jsonReader) children(n *node, open json.Delim) error {
	n.kind = kindList
	if open == '{' {
		n.kind = kindTable
	}
	for j.decoder.More() {
		if err := j.child(n); err != nil {
			return err
		}
	}
	_, err := j.decoder.Token()
	return err
}

func (j *jsonReader) child(n *node) error {
	if n.kind == kindList {
		item, err := j.value()
		n.items = append(n.items, item)
		return err
	}
	key, pos, err := j.next()
	if err != nil {
		return err
	}
	value, err := j.value()
	if err != nil {
		return err
	}
	name, _ := key.(string)
	return n.put(name, pos, value)
}
