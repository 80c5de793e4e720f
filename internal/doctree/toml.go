package doctree

import (
	"errors"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// parseTOML decodes the document twice: once into plain maps, since only that checks what a single
// expression cannot know (a table defined again, a list extended), and once by expression, since
// only that keeps positions.
func parseTOML(b *builder) (*Node, error) {
	data := []byte(b.text)
	var checked map[string]any
	if err := toml.Unmarshal(data, &checked); err != nil {
		var decode *toml.DecodeError
		if !errors.As(err, &decode) {
			return nil, err
		}
		line, column := decode.Position()
		return nil, errorf(min(b.offset(line, 1)+column-1, len(b.text)), "%s", trimmed(decode, "toml"))
	}
	root, err := b.node(Table, 0, "", 1)
	if err != nil {
		return nil, err
	}
	t := tomlReader{builder: b}
	t.parser.Reset(data)
	current, depth := root, 1
	for t.parser.NextExpression() {
		e := t.parser.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			current, depth, err = t.header(root, e)
		case unstable.KeyValue:
			err = t.keyValue(current, e, depth)
		}
		if err != nil {
			return nil, err
		}
	}
	return root, t.parser.Error()
}

// tomlReader puts the expressions of a document that is known to be TOML into a tree. The depths it passes
// on are those of the table at hand.
type tomlReader struct {
	*builder
	parser unstable.Parser
}

// header returns the table that [a.b] or [[a.b]] opens.
func (t *tomlReader) header(root *Node, e *unstable.Node) (*Node, int, error) {
	parent, key, pos, depth, err := t.descend(root, e.Key(), 1)
	if err != nil {
		return nil, 0, err
	}
	if e.Kind == unstable.Table {
		return t.table(parent, key, pos, depth)
	}
	list := parent.Get(key)
	if list == nil {
		if list, err = t.node(List, pos, "", depth+1); err != nil {
			return nil, 0, err
		}
		if err := parent.put(key, pos, list); err != nil {
			return nil, 0, err
		}
	}
	item, err := t.node(Table, pos, "", depth+2)
	if err != nil {
		return nil, 0, err
	}
	list.Items = append(list.Items, item)
	return item, depth + 2, nil
}

func (t *tomlReader) keyValue(current *Node, e *unstable.Node, depth int) error {
	parent, key, pos, depth, err := t.descend(current, e.Key(), depth)
	if err != nil {
		return err
	}
	value, err := t.value(e.Value(), pos, depth+1)
	if err != nil {
		return err
	}
	return parent.put(key, pos, value)
}

// descend walks all but the last part of a dotted key, making tables on the way, and returns the
// table reached, the last part with its offset, and how deep the table is.
func (t *tomlReader) descend(at *Node, key unstable.Iterator, depth int) (*Node, string, int, int, error) {
	key.Next()
	for {
		part := key.Node()
		name, pos := string(part.Data), int(part.Raw.Offset)
		if !key.Next() {
			return at, name, pos, depth, nil
		}
		var err error
		if at, depth, err = t.table(at, name, pos, depth); err != nil {
			return nil, "", 0, 0, err
		}
	}
}

// table returns the table parent.key, made if need be, and its depth; of a list of tables, the last one.
func (t *tomlReader) table(parent *Node, key string, pos, depth int) (*Node, int, error) {
	depth++
	n := parent.Get(key)
	if n == nil {
		n, err := t.node(Table, pos, "", depth)
		if err != nil {
			return nil, 0, err
		}
		return n, depth, parent.put(key, pos, n)
	}
	if n.Kind == List && len(n.Items) > 0 {
		n, depth = n.Items[len(n.Items)-1], depth+1
	}
	if n.Kind != Table {
		return nil, 0, errorf(pos, "%s is already set, and no section", Quote(key))
	}
	return n, depth, nil
}

// value reads one value; pos stands in for the offset of a list, which the parser does not keep.
func (t *tomlReader) value(v *unstable.Node, pos, depth int) (*Node, error) {
	if v.Kind != unstable.Array {
		pos = int(v.Raw.Offset)
	}
	n, err := t.node(tomlKind(v.Kind), pos, string(v.Data), depth)
	if err != nil {
		return nil, err
	}
	switch v.Kind {
	case unstable.Integer, unstable.Float:
		n.Text = strings.ReplaceAll(n.Text, "_", "")
	case unstable.Array:
		for items := v.Children(); items.Next(); {
			item, err := t.value(items.Node(), pos, depth+1)
			if err != nil {
				return nil, err
			}
			n.Items = append(n.Items, item)
		}
	case unstable.InlineTable:
		for pairs := v.Children(); pairs.Next(); {
			if err := t.keyValue(n, pairs.Node(), depth); err != nil {
				return nil, err
			}
		}
	}
	return n, nil
}

// tomlKind maps the parser's kinds to ours.
func tomlKind(k unstable.Kind) Kind {
	switch k {
	case unstable.Bool:
		return Bool
	case unstable.Integer:
		return Int
	case unstable.Float:
		return Float
	case unstable.Array:
		return List
	case unstable.InlineTable:
		return Table
	default:
		return Text
	}
}
