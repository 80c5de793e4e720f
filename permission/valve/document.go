package valve

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"
)

// itemKind is what an item of a permission file is.
type itemKind uint8

const (
	itemOther itemKind = iota // a number, a list, null
	itemBool
	itemText
	itemTable
)

// item is one value of a permission file, with the place it stands at.
type item struct {
	kind    itemKind
	from    int    // offset in the file
	text    string // of a scalar
	entries []entry
}

// entry is one key of a table, in the order written.
type entry struct {
	key  string
	from int // of the key
	item *item
}

func (t *item) get(key string) *item {
	for _, e := range t.entries {
		if e.key == key {
			return e.item
		}
	}
	return nil
}

// documentError is a mistake in the syntax of a file.
type documentError struct {
	from    int
	message string
}

func (e *documentError) Error() string { return e.message }

func documentErrorf(from int, format string, args ...any) error {
	return &documentError{from, fmt.Sprintf(format, args...)}
}

// A file with more values, or nested deeper, is refused. YAML aliases count each time they are used.
const (
	itemsMax     = 1 << 18
	itemDepthMax = 64
)

// document is a file being read: it makes the items and counts them.
type document struct {
	text  string
	items int
}

func (d *document) item(k itemKind, from int, text string) (*item, error) {
	if d.items++; d.items > itemsMax {
		return nil, documentErrorf(from, "more than the maximum of %d values", itemsMax)
	}
	return &item{kind: k, from: from, text: text}, nil
}

// readers by file extension.
var readers = map[string]func(*document) (*item, error){
	".yml": readYAML, ".yaml": readYAML, ".json": readJSON, ".toml": readTOML,
}

// readDocument returns the permission document in src and the text that its offsets are in. The error
// is an Errors.
func readDocument(src Source) (*item, string, error) {
	text := strings.TrimPrefix(string(src.Text), "\ufeff")
	read := readers[filepath.Ext(src.File)]
	switch {
	case len(text) > fileBytesMax:
		return nil, text, Errors{{File: src.File, Message: fmt.Sprintf("the file has more than the maximum of %d bytes", fileBytesMax)}}
	case read == nil:
		return nil, text, Errors{{File: src.File, Message: "unknown format; expected a name that ends in .yml, .yaml, .json or .toml"}}
	case !utf8.ValidString(text):
		return nil, text, Errors{{File: src.File, Message: "the file is not UTF-8"}}
	}
	if src.Env != nil {
		text = substitute(text, filepath.Ext(src.File) != ".json", src.Env)
	}
	root, err := read(&document{text: text})
	for _, key := range src.Section {
		if err == nil {
			if root = root.get(key); root == nil {
				err = documentErrorf(0, "there is no %s", strings.Join(src.Section, "."))
			}
		}
	}
	if err == nil {
		return root, text, nil
	}
	from := 0
	var ours *documentError
	if errors.As(err, &ours) {
		from = ours.from
	}
	return nil, text, Errors{problemAt(src.File, text, from, "", err.Error())}
}

// substitution is a reference to a variable, or an escaped one.
var substitution = regexp.MustCompile(`\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(:-([^}\n]*))?\}`)

// substitute replaces ${NAME} and ${NAME:-default}, and $${ by ${, but not in comment lines: as for the
// configuration, which reads the file first and reports what is wrong about them. Lines stay where they
// are.
func substitute(text string, comments bool, env func(string) (string, bool)) string {
	if !strings.Contains(text, "${") {
		return text
	}
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		if comments && strings.HasPrefix(strings.TrimLeft(line, " \t"), "#") {
			continue
		}
		lines[i] = substitution.ReplaceAllStringFunc(line, func(found string) string {
			m := substitution.FindStringSubmatch(found)
			if m[1] == "" {
				return "${"
			}
			value, set := env(m[1])
			switch {
			case value == "" && m[2] != "":
				return m[3]
			case !set:
				return found
			}
			return value
		})
	}
	return strings.Join(lines, "")
}

// lineOffset returns the offset of line and column, both from 1, the column in characters.
func (d *document) lineOffset(line, column int) int {
	at := 0
	for ; line > 1; line-- {
		n := strings.IndexByte(d.text[at:], '\n')
		if n < 0 {
			return len(d.text)
		}
		at += n + 1
	}
	for ; column > 1 && at < len(d.text) && d.text[at] != '\n'; column-- {
		_, n := utf8.DecodeRuneInString(d.text[at:])
		at += n
	}
	return at
}

// put appends an entry to t, and fails if the key is taken.
func (t *item) put(key string, from int, value *item, taken map[string]bool) error {
	if taken[key] {
		return documentErrorf(from, "key %q stands there twice", key)
	}
	taken[key] = true
	t.entries = append(t.entries, entry{key, from, value})
	return nil
}
