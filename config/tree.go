package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
)

// A document of more nodes, or nested deeper, is refused. YAML aliases count each time they are used.
const (
	nodesMax = 1 << 20
	depthMax = 64
)

type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindInt
	kindFloat
	kindString
	kindList
	kindTable
	kindBroken // a macro that failed and was reported
)

// node is one value of a document, whatever its format, with the place it was written at.
type node struct {
	kind    kind
	src     *source
	pos     int    // offset in src.text
	text    string // of a scalar; an integer in any base Go reads
	file    string // that fileLoad read it from; empty for what stands in the file itself
	items   []*node
	entries []entry
	index   map[string]int // key to entry
}

// entry is one key of a table, in the order written.
type entry struct {
	key   string
	pos   int // of the key
	value *node
}

func (n *node) get(key string) *node {
	if i, ok := n.index[key]; ok {
		return n.entries[i].value
	}
	return nil
}

// put appends an entry, and fails if the key is taken.
func (n *node) put(key string, pos int, value *node) error {
	if i, taken := n.index[key]; taken {
		first := n.src.problem(n.entries[i].pos, "", "")
		return syntaxErrorf(pos, "key %s is already set in line %d", quote(key), first.Line)
	}
	if n.index == nil {
		n.index = map[string]int{}
	}
	n.index[key] = len(n.entries)
	n.entries = append(n.entries, entry{key, pos, value})
	return nil
}

// integer returns the value of an integer node, false if it does not fit.
func (n *node) integer() (int64, bool) {
	i, err := strconv.ParseInt(n.text, 0, 64)
	return i, n.kind == kindInt && err == nil
}

// describe shows n in a message: scalars as written, the rest by kind.
func (n *node) describe() string {
	switch n.kind {
	case kindNull:
		return "null"
	case kindString:
		return quote(n.text)
	case kindList:
		return "a list"
	case kindTable:
		return "a section"
	default:
		return n.text
	}
}

// plain returns n as the values a Document holds. A number that does not fit becomes its text.
func (n *node) plain() any {
	switch n.kind {
	case kindNull:
		return nil
	case kindBool:
		return n.text == "true"
	case kindInt:
		if i, ok := n.integer(); ok {
			return i
		}
	case kindFloat:
		if f, err := strconv.ParseFloat(n.text, 64); err == nil {
			return f
		}
	case kindList:
		list := make([]any, len(n.items))
		for i, item := range n.items {
			list[i] = item.plain()
		}
		return list
	case kindTable:
		table := make(map[string]any, len(n.entries))
		for _, e := range n.entries {
			table[e.key] = e.value.plain()
		}
		return table
	}
	return n.text
}

// syntaxError is a mistake in the text of a document.
type syntaxError struct {
	pos     int // offset in the text
	message string
}

func (e *syntaxError) Error() string { return e.message }

func syntaxErrorf(pos int, format string, args ...any) error {
	return &syntaxError{pos, fmt.Sprintf(format, args...)}
}

// builder makes the nodes of one document and counts them.
type builder struct {
	src   *source
	nodes int
}

func (b *builder) node(k kind, pos int, text string) (*node, error) {
	if b.nodes++; b.nodes > nodesMax {
		return nil, syntaxErrorf(pos, "more than the maximum of %d values", nodesMax)
	}
	return &node{kind: k, src: b.src, pos: pos, text: text}, nil
}

// parsers by file extension.
var parsers = map[string]func(*builder) (*node, error){
	".toml": parseTOML, ".yml": parseYAML, ".yaml": parseYAML, ".json": parseJSON,
}

// hasComments reports whether a line of such a file is a comment if it starts with #.
func hasComments(ext string) bool { return ext == ".toml" || ext == ".yml" || ext == ".yaml" }

// parse reads s in the format of its extension, which has a parser. It returns nil after reporting
// a syntax error.
func parse(s *source, r *report) *node {
	root, err := parsers[filepath.Ext(s.name)](&builder{src: s})
	if err == nil {
		err = checkDepth(root, 1)
	}
	if err == nil {
		return root
	}
	var syntax *syntaxError
	if errors.As(err, &syntax) {
		r.add(s.problem(syntax.pos, "", syntax.message))
	} else {
		r.add(Problem{File: s.name, Message: err.Error()})
	}
	return nil
}

func checkDepth(n *node, depth int) error {
	if depth > depthMax {
		return syntaxErrorf(n.pos, "nested more than the maximum of %d levels deep", depthMax)
	}
	for _, item := range n.items {
		if err := checkDepth(item, depth+1); err != nil {
			return err
		}
	}
	for _, e := range n.entries {
		if err := checkDepth(e.value, depth+1); err != nil {
			return err
		}
	}
	return nil
}
