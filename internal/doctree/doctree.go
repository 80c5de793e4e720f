// Package doctree reads TOML, YAML and JSON into one kind of tree that knows where everything stands: the
// configuration and permission files come in all three, and a mistake in one is shown at its place.
//
//	root, err := doctree.Parse(".yml", text, doctree.Limits{Values: 1 << 20, Depth: 64})
//	var wrong *doctree.Error // with the offset of what is wrong
//
// # Invariants
//   - An Entry is there once per key, in the order written.
//   - Offsets are bytes of the text that was parsed, and lie within it.
//   - A tree is as large and as deep as Limits say at most. YAML aliases count each time they are used.
//   - What one format cannot say, a tree does not say either: scalars are texts of a kind.
//
// Cost: each text is decoded twice or walked once more; for files, not for messages. Stability: internal, may
// change.
package doctree

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Kind is what a Node is.
type Kind uint8

const (
	Null  Kind = iota
	Bool       // Text is "true" or "false"
	Int        // Text is an integer in any base Go reads
	Float      // Text is decimal
	Text       // TOML's dates are texts, too
	List       // has Items
	Table      // has Entries
)

// Node is one value of a document.
type Node struct {
	Kind    Kind
	Pos     int    // offset in the text; of a list or table in TOML, that of its key
	Text    string // of a scalar
	Items   []*Node
	Entries []Entry

	index map[string]int // key to entry
}

// Entry is one key of a table.
type Entry struct {
	Key   string
	Pos   int // of the key
	Value *Node
}

// Get returns the value of key, or nil if n has none.
func (n *Node) Get(key string) *Node {
	if i, ok := n.index[key]; ok {
		return n.Entries[i].Value
	}
	return nil
}

// put appends an entry, and fails if the key is taken.
func (n *Node) put(key string, pos int, value *Node) error {
	if i, taken := n.index[key]; taken {
		return &Error{Pos: pos, Message: "key " + Quote(key) + " is already set", First: n.Entries[i].Pos, Again: true}
	}
	if n.index == nil {
		n.index = map[string]int{}
	}
	n.index[key] = len(n.Entries)
	n.Entries = append(n.Entries, Entry{key, pos, value})
	return nil
}

// Error is a mistake in the text of a document.
type Error struct {
	Pos     int    // offset in the text
	Message string // one line
	Again   bool   // a key stands there twice, and
	First   int    // its offset the first time
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

func errorf(pos int, format string, args ...any) error {
	return &Error{Pos: pos, Message: fmt.Sprintf(format, args...)}
}

// Limits bound a document; one beyond them is an Error.
type Limits struct {
	Values int // scalars, lists and tables together
	Depth  int // of lists and tables in each other; the root is the first level
}

// parsers by file extension.
var parsers = map[string]func(*builder) (*Node, error){
	".toml": parseTOML, ".yml": parseYAML, ".yaml": parseYAML, ".json": parseJSON,
}

// Known reports whether Parse knows the format of files with the extension ext.
func Known(ext string) bool { return parsers[ext] != nil }

// HasComments reports whether a line of such a file is a comment if it starts with #.
func HasComments(ext string) bool { return Known(ext) && ext != ".json" }

// Parse reads text in the format of ext, which is Known. The root is nil if text is YAML without a document:
// nothing but comments, say. The error is an *Error wherever its place is known.
func Parse(ext, text string, limits Limits) (*Node, error) {
	root, err := parsers[ext](&builder{text: text, limits: limits})
	if err != nil {
		return nil, err
	}
	return root, nil
}

// builder makes the nodes of one document and counts them.
type builder struct {
	text   string
	limits Limits // constant

	values int
	lines  []int // offset of every line; made when first asked for
}

// node returns a new node, depth levels deep.
func (b *builder) node(k Kind, pos int, text string, depth int) (*Node, error) {
	switch b.values++; {
	case b.values > b.limits.Values:
		return nil, errorf(pos, "more than the maximum of %d values", b.limits.Values)
	case depth > b.limits.Depth:
		return nil, errorf(pos, "nested more than the maximum of %d levels deep", b.limits.Depth)
	}
	return &Node{Kind: k, Pos: pos, Text: text}, nil
}

// offset returns the offset of line and column, both from 1, the column in characters.
func (b *builder) offset(line, column int) int {
	if b.lines == nil {
		b.lines = []int{0}
		for i, c := range []byte(b.text) {
			if c == '\n' {
				b.lines = append(b.lines, i+1)
			}
		}
	}
	if line > len(b.lines) {
		return len(b.text)
	}
	at := b.lines[max(line, 1)-1]
	for ; column > 1 && at < len(b.text) && b.text[at] != '\n'; column-- {
		_, n := utf8.DecodeRuneInString(b.text[at:])
		at += n
	}
	return at
}

// Quote shows s as a value in a message, cut to a readable length.
func Quote(s string) string {
	const longest = 60
	if utf8.RuneCountInString(s) > longest {
		s = string([]rune(s)[:longest]) + "…"
	}
	return fmt.Sprintf("%q", s)
}

// trimmed returns the message of err without the name of the library it is from.
func trimmed(err error, library string) string { return strings.TrimPrefix(err.Error(), library+": ") }
