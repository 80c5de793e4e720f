package valve

import (
	"errors"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// readTOML decodes the document twice: once into plain maps, since only that checks what one expression
// cannot know, such as a table defined again; and once by expression, since only that keeps positions.
func readTOML(d *document) (*item, error) {
	data := []byte(d.text)
	var checked map[string]any
	if err := toml.Unmarshal(data, &checked); err != nil {
		var decode *toml.DecodeError
		if !errors.As(err, &decode) {
			return nil, err
		}
		line, column := decode.Position()
		return nil, documentErrorf(d.lineOffset(line, 1)+column-1, "%s", strings.TrimPrefix(decode.Error(), "toml: "))
	}
	root, err := d.item(itemTable, 0, "")
	if err != nil {
		return nil, err
	}
	t := tomlReader{document: d}
	t.parser.Reset(data)
	current := root
	for err == nil && t.parser.NextExpression() {
		switch e := t.parser.Expression(); e.Kind {
		case unstable.Table:
			current, err = t.header(root, e.Key())
		case unstable.ArrayTable:
			// Nothing in a permission file is a list of tables: what is in one goes nowhere.
			current, err = t.item(itemTable, 0, "")
		case unstable.KeyValue:
			err = t.keyValue(current, e, 1)
		}
	}
	if err == nil {
		err = t.parser.Error()
	}
	return root, err
}

type tomlReader struct {
	*document
	parser unstable.Parser
}

// header returns the table that [a.b] opens.
func (t *tomlReader) header(root *item, key unstable.Iterator) (*item, error) {
	parent, name, from, err := t.descend(root, key)
	if err != nil {
		return nil, err
	}
	return t.table(parent, name, from)
}

func (t *tomlReader) keyValue(current *item, e *unstable.Node, depth int) error {
	parent, name, from, err := t.descend(current, e.Key())
	if err != nil {
		return err
	}
	value, err := t.value(e.Value(), from, depth)
	if err == nil {
		parent.entries = append(parent.entries, entry{name, from, value})
	}
	return err
}

// descend walks all but the last part of a dotted key, making tables on the way, and returns the table
// reached and the last part with its offset.
func (t *tomlReader) descend(at *item, key unstable.Iterator) (*item, string, int, error) {
	key.Next()
	for depth := 0; ; depth++ {
		part := key.Node()
		name, from := string(part.Data), int(part.Raw.Offset)
		if !key.Next() {
			return at, name, from, nil
		}
		if depth > itemDepthMax {
			return nil, "", 0, documentErrorf(from, "nested more than the maximum of %d levels deep", itemDepthMax)
		}
		var err error
		if at, err = t.table(at, name, from); err != nil {
			return nil, "", 0, err
		}
	}
}

// table returns the table parent.key, made if need be. What is no table there was refused before.
func (t *tomlReader) table(parent *item, key string, from int) (*item, error) {
	if found := parent.get(key); found != nil {
		return found, nil
	}
	made, err := t.item(itemTable, from, "")
	if err == nil {
		parent.entries = append(parent.entries, entry{key, from, made})
	}
	return made, err
}

// value reads one value; from stands in for the offset of a list, which the parser does not keep.
func (t *tomlReader) value(v *unstable.Node, from, depth int) (*item, error) {
	if depth > itemDepthMax {
		return nil, documentErrorf(from, "nested more than the maximum of %d levels deep", itemDepthMax)
	}
	if v.Kind != unstable.Array && v.Kind != unstable.InlineTable {
		from = int(v.Raw.Offset)
	}
	made, err := t.item(itemOther, from, string(v.Data))
	if err != nil {
		return nil, err
	}
	switch v.Kind {
	case unstable.Bool:
		made.kind = itemBool
	case unstable.String:
		made.kind = itemText
	case unstable.InlineTable:
		made.kind = itemTable
		for pairs := v.Children(); pairs.Next(); {
			if err := t.keyValue(made, pairs.Node(), depth+1); err != nil {
				return nil, err
			}
		}
	}
	return made, nil
}
