package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
)

// write returns root as TOML.
func (c *converter) write(root *node) string {
	w := tomlWriter{c: c}
	fmt.Fprintf(&w.b, "# Made from %s by deepstream-fast convert.\n", filepath.Base(c.path))
	w.table(nil, "", root, reflect.TypeFor[Config]())
	return w.b.String()
}

// tomlWriter writes sections under headers, everything else inline.
type tomlWriter struct {
	c *converter
	b strings.Builder
}

// comment writes lines about what follows, each on its own: a comment behind a value would have its
// variables substituted.
func (w *tomlWriter) comment(lines []string) {
	for _, line := range lines {
		w.b.WriteString("# " + strings.ReplaceAll(line, "\n", " ") + "\n")
	}
}

// table writes the entries of n, whose header is written: values first, since a header would swallow them.
// t is nil where no schema applies.
func (w *tomlWriter) table(header []string, path string, n *node, t reflect.Type) {
	w.comment(w.c.dropped[n])
	w.c.origin[path] = n
	variant := ""
	if t != nil {
		variant = w.c.variant(n, t)
	}
	for _, e := range n.entries {
		if !headed(e.value) {
			w.value(e, join(path, e.key), t, variant)
		}
	}
	for _, e := range n.entries {
		if !headed(e.value) {
			continue
		}
		var below reflect.Type
		if t != nil {
			if f, ok := fieldOf(t, variant, e.key); ok {
				below = f.Type
			}
		}
		w.headed(append(header[:len(header):len(header)], e.key), join(path, e.key), e.value, below)
	}
}

// headed reports whether n is written under headers of its own.
func headed(n *node) bool {
	if n.kind == kindTable {
		return true
	}
	for _, item := range n.items {
		if item.kind != kindTable {
			return false
		}
	}
	return len(n.items) > 0
}

// headed writes a section or a list of sections.
func (w *tomlWriter) headed(header []string, path string, n *node, t reflect.Type) {
	keys := make([]string, len(header))
	for i, key := range header {
		keys[i] = w.key(key)
	}
	name := strings.Join(keys, ".")
	if n.kind == kindTable {
		if t != nil && !isSection(t) {
			t = nil
		}
		w.b.WriteString("\n")
		w.comment(w.c.comments[n])
		w.b.WriteString("[" + name + "]\n")
		w.table(header, path, n, t)
		return
	}
	var below reflect.Type
	if t != nil && t.Kind() == reflect.Slice && isSection(t.Elem()) {
		below = t.Elem()
	}
	w.c.origin[path] = n
	for i, item := range n.items {
		w.b.WriteString("\n")
		if i == 0 {
			w.comment(w.c.comments[n])
		}
		w.b.WriteString("[[" + name + "]]\n")
		w.table(header, fmt.Sprintf("%s[%d]", path, i), item, below)
	}
}

// value writes one line.
func (w *tomlWriter) value(e entry, path string, t reflect.Type, variant string) {
	w.c.origin[path] = e.value
	var f field
	if t != nil {
		f, _ = fieldOf(t, variant, e.key)
	}
	w.comment(w.c.comments[e.value])
	w.b.WriteString(w.key(e.key) + " = " + w.inline(e.value, f) + "\n")
}

// inline returns n as a value. f is the zero field where no schema applies.
func (w *tomlWriter) inline(n *node, f field) string {
	switch n.kind {
	case kindNull:
		return `""` // TOML has none; only in documents, where no rule tells them apart
	case kindList:
		items := make([]string, len(n.items))
		for i, item := range n.items {
			items[i] = w.inline(item, field{})
		}
		return "[" + strings.Join(items, ", ") + "]"
	case kindTable:
		items := make([]string, len(n.entries))
		for i, e := range n.entries {
			items[i] = w.key(e.key) + " = " + w.inline(e.value, field{})
		}
		return "{ " + strings.Join(items, ", ") + " }"
	case kindString:
		if text := w.c.restore(n.text); strings.HasPrefix(text, "${") && unquoted(f) {
			return text
		}
		return w.quoted(n.text)
	}
	text := w.c.restore(n.text)
	if text != n.text && !unquoted(f) { // a variable that looks like a number to the parser
		return w.quoted(n.text)
	}
	return text
}

// unquoted reports whether a value of f is no text, so that a variable in it stands without quotes.
func unquoted(f field) bool {
	if f.Type == nil {
		return false
	}
	switch f.Type.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int64:
		return true
	}
	return false
}

var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func (w *tomlWriter) key(key string) string {
	if bareKey.MatchString(key) {
		return key
	}
	return w.quoted(key)
}

// quoted returns text as a basic string.
func (w *tomlWriter) quoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range w.c.restore(text) {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
