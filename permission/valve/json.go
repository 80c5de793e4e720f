package valve

import (
	"encoding/json"
	"errors"
	"strings"
)

// readJSON checks the syntax of the whole document first, so that walking its tokens cannot fail half
// way.
func readJSON(d *document) (*item, error) {
	var checked json.RawMessage
	if err := json.Unmarshal([]byte(d.text), &checked); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, documentErrorf(int(syntax.Offset)-1, "%s", syntax.Error())
		}
		return nil, err
	}
	j := jsonReader{document: d, decoder: json.NewDecoder(strings.NewReader(d.text))}
	return j.read(1)
}

type jsonReader struct {
	*document
	decoder *json.Decoder
}

// next returns the next token and where it starts.
func (j *jsonReader) next() (json.Token, int, error) {
	from := int(j.decoder.InputOffset())
	rest := j.text[from:]
	from += len(rest) - len(strings.TrimLeft(rest, " \t\r\n,:"))
	token, err := j.decoder.Token()
	return token, from, err
}

func (j *jsonReader) read(depth int) (*item, error) {
	token, from, err := j.next()
	if err != nil {
		return nil, err
	}
	if depth > itemDepthMax {
		return nil, documentErrorf(from, "nested more than the maximum of %d levels deep", itemDepthMax)
	}
	t, err := j.item(itemOther, from, "")
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case bool:
		t.kind, t.text = itemBool, "false"
		if token {
			t.text = "true"
		}
	case string:
		t.kind, t.text = itemText, token
	case json.Delim:
		if token == '{' {
			t.kind = itemTable
		}
		return t, j.children(t, depth)
	}
	return t, nil
}

// children reads the rest of a list or an object into t; elements of lists are of no use here.
func (j *jsonReader) children(t *item, depth int) error {
	taken := map[string]bool{}
	for j.decoder.More() {
		if t.kind != itemTable {
			if _, err := j.read(depth + 1); err != nil {
				return err
			}
			continue
		}
		key, from, err := j.next()
		if err != nil {
			return err
		}
		value, err := j.read(depth + 1)
		if err != nil {
			return err
		}
		name, _ := key.(string)
		if err := t.put(name, from, value, taken); err != nil {
			return err
		}
	}
	_, err := j.decoder.Token()
	return err
}
