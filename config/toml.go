package config

import (
	"errors"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// parseTOML decodes the document twice: once into plain maps, since only that checks what a single
// expression cannot know (a table defined again, a list extended), and once by expression, since
// only that keeps positions.
func parseTOML(b *builder) (*node, error) {
	data := []byte(b.src.text)
	var checked map[string]any
	if err := toml.Unmarshal(data, &checked); err != nil {
		var decode *toml.DecodeError
		if !errors.As(err, &decode) {
			return nil, err
		}
		line, column := decode.Position()
		pos := b.src.offset(line, 1) + column - 1
		return nil, syntaxErrorf(pos, "%s", strings.TrimPrefix(decode.Error(), "toml: "))
	}
	root, err := b.node(kindTable, 0, "")
	if err != nil {
		return nil, err
	}
	t := tomlReader{builder: b}
	t.parser.Reset(data)
	current := root
	for t.parser.NextExpression() {
		e := t.parser.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			current, err = t.header(root, e)
		case unstable.KeyValue:
			err = t.keyValue(current, e)
		}
		if err != nil {
			return nil, err
		}
	}
	return root, t.parser.Error()
}

type tomlReader struct {
	*builder
	parser unstable.Parser
}

// header returns the table that [a.b] or [[a.b]] opens.
func (t *tomlReader) header(root *node, e *unstable.Node) (*node, error) {
	parent, key, pos, err := t.descend(root, e.Key())
	if err != nil {
		return nil, err
	}
	if e.Kind == unstable.Table {
		return t.table(parent, key, pos)
	}
	list := parent.get(key)
	if list == nil {
		if list, err = t.node(kindList, pos, ""); err != nil {
			return nil, err
		}
		if err := parent.put(key, pos, list); err != nil {
			return nil, err
		}
	}
	item, err := t.node(kindTable, pos, "")
	if err != nil {
		return nil, err
	}
	list.items = append(list.items, item)
	return item, nil
}

func (t *tomlReader) keyValue(current *node, e *unstable.Node) error {
	parent, key, pos, err := t.descend(current, e.Key())
	if err != nil {
		return err
	}
	value, err := t.value(e.Value(), pos)
	if err != nil {
		return err
	}
	return parent.put(key, pos, value)
}

// descend walks all but the last part of a dotted key, making tables on the way, and returns the
// table reached and the last part with its offset.
func (t *tomlReader) descend(at *node, key unstable.Iterator) (*node, string, int, error) {
	key.Next()
	for {
		part := key.Node()
		name, pos := string(part.Data), int(part.Raw.Offset)
		if !key.Next() {
			return at, name, pos, nil
		}
		var err error
		if at, err = t.table(at, name, pos); err != nil {
			return nil, "", 0, err
		}
	}
}

// table returns the table parent.key, made if need be; of a list of tables, the last one.
func (t *tomlReader) table(parent *node, key string, pos int) (*node, error) {
	n := parent.get(key)
	if n == nil {
		n, err := t.node(kindTable, pos, "")
		if err != nil {
			return nil, err
		}
		return n, parent.put(key, pos, n)
	}
	if n.kind == kindList && len(n.items) > 0 {
		n = n.items[len(n.items)-1]
	}
	if n.kind != kindTable {
		return nil, syntaxErrorf(pos, "%s is already set to %s", quote(key), n.describe())
	}
	return n, nil
}

// value reads one value; pos stands in for the offset of a list, which the parser does not keep.
func (t *tomlReader) value(v *unstable.Node, pos int) (*node, error) {
	if v.Kind != unstable.Array {
		pos = int(v.Raw.Offset)
	}
	n, err := t.node(tomlKind(v.Kind), pos, string(v.Data))
	if err != nil {
		return nil, err
	}
	switch v.Kind {
	case unstable.Integer, unstable.Float:
		n.text = strings.ReplaceAll(n.text, "_", "")
	case unstable.Array:
		for items := v.Children(); items.Next(); {
			item, err := t.value(items.Node(), pos)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, item)
		}
	case unstable.InlineTable:
		for pairs := v.Children(); pairs.Next(); {
			if err := t.keyValue(n, pairs.Node()); err != nil {
				return nil, err
			}
		}
	}
	return n, nil
}

// tomlKind maps the parser's kinds to ours; dates have no use here and stay text.
func tomlKind(k unstable.Kind) kind {
	switch k {
	case unstable.Bool:
		return kindBool
	case unstable.Integer:
		return kindInt
	case unstable.Float:
		return kindFloat
	case unstable.Array:
		return kindList
	case unstable.InlineTable:
		return kindTable
	default:
		return kindString
	}
}
