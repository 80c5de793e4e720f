package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"deepstream-fast/internal/doctree"
)

// A document of more nodes, or nested deeper, is refused.
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
	file    string // that fileLoad has read it from; empty: none
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

// put appends an entry whose key is not taken.
func (n *node) put(key string, pos int, value *node) {
	if n.index == nil {
		n.index = map[string]int{}
	}
	n.index[key] = len(n.entries)
	n.entries = append(n.entries, entry{key, pos, value})
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

// limits of a document. YAML aliases count each time they are used.
var limits = doctree.Limits{Values: nodesMax, Depth: depthMax}

// parse reads s in the format of its extension, which is known. It returns nil after reporting a syntax
// error.
func parse(s *source, r *report) *node {
	root, err := doctree.Parse(filepath.Ext(s.name), s.text, limits)
	if err == nil {
		return s.node(root)
	}
	var wrong *doctree.Error
	if !errors.As(err, &wrong) {
		r.add(Problem{File: s.name, Message: err.Error()})
		return nil
	}
	message := wrong.Message
	if wrong.Again {
		message += fmt.Sprintf(" in line %d", s.problem(wrong.First, "", "").Line)
	}
	r.add(s.problem(wrong.Pos, "", message))
	return nil
}

// kinds are those of a document.
var kinds = [...]kind{
	doctree.Null: kindNull, doctree.Bool: kindBool, doctree.Int: kindInt, doctree.Float: kindFloat,
	doctree.Text: kindString, doctree.List: kindList, doctree.Table: kindTable,
}

// node returns d, a value of s, as a node. Nothing at all is an empty table.
func (s *source) node(d *doctree.Node) *node {
	if d == nil {
		return &node{kind: kindTable, src: s}
	}
	n := &node{kind: kinds[d.Kind], src: s, pos: d.Pos, text: d.Text}
	for _, item := range d.Items {
		n.items = append(n.items, s.node(item))
	}
	for _, e := range d.Entries {
		n.put(e.Key, e.Pos, s.node(e.Value))
	}
	return n
}
