package valve

import (
	"errors"
	"io"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"deepstream-fast/internal/ecma"
)

var yamlErrorText = regexp.MustCompile(`^yaml: line (\d+): (?s:(.*))$`)

// readYAML reads one YAML document. Aliases are followed, merge keys are refused.
func readYAML(d *document) (*item, error) {
	decoder := yaml.NewDecoder(strings.NewReader(d.text))
	var root yaml.Node
	err := decoder.Decode(&root)
	switch {
	case errors.Is(err, io.EOF):
		return nil, documentErrorf(0, "the file is empty")
	case err != nil:
		return nil, d.yamlError(err)
	}
	if err := decoder.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, documentErrorf(0, "more than one YAML document in the file")
	}
	y := yamlReader{document: d}
	for i, c := range []byte(d.text) {
		if c == '\n' || i == 0 {
			y.lines = append(y.lines, i+min(i, 1))
		}
	}
	return y.read(root.Content[0], 1)
}

func (d *document) yamlError(err error) error {
	m := yamlErrorText.FindStringSubmatch(err.Error())
	if m == nil {
		return documentErrorf(0, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	line, _ := strconv.Atoi(m[1])
	return documentErrorf(d.lineOffset(line, 1), "%s", m[2])
}

type yamlReader struct {
	*document
	lines []int // offsets
}

// offset returns where v begins.
func (y *yamlReader) offset(v *yaml.Node) int {
	if v.Line < 1 || v.Line > len(y.lines) {
		return 0
	}
	at := y.lines[v.Line-1]
	for column := v.Column; column > 1 && at < len(y.text); column-- {
		_, n := utf8.DecodeRuneInString(y.text[at:])
		at += n
	}
	return at
}

// read converts v; depth ends an alias that contains itself.
func (y *yamlReader) read(v *yaml.Node, depth int) (*item, error) {
	from := y.offset(v)
	switch {
	case v.Kind == yaml.AliasNode:
		return y.read(v.Alias, depth+1)
	case depth > itemDepthMax:
		return nil, documentErrorf(from, "nested more than the maximum of %d levels deep", itemDepthMax)
	}
	t, err := y.item(itemOther, from, v.Value)
	if err != nil || v.Kind == yaml.SequenceNode {
		return t, err
	}
	if v.Kind == yaml.MappingNode {
		t.kind = itemTable
		return t, y.table(t, v.Content, depth)
	}
	switch v.ShortTag() {
	case "!!bool":
		t.kind, t.text = itemBool, strings.ToLower(v.Value)
	case "!!str", "!!timestamp":
		t.kind = itemText
	}
	return t, nil
}

// table fills t from keys and values in turn.
func (y *yamlReader) table(t *item, content []*yaml.Node, depth int) error {
	taken := map[string]bool{}
	for i := 0; i+1 < len(content); i += 2 {
		key := content[i]
		from := y.offset(key)
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
			return documentErrorf(from, "keys are plain texts here; merge keys are not supported")
		}
		value, err := y.read(content[i+1], depth+1)
		if err != nil {
			return err
		}
		if err := t.put(key.Value, from, value, taken); err != nil {
			return err
		}
	}
	return nil
}

// numericFirst orders keys as JavaScript iterates them: those that are array indexes come first, in
// ascending order, then the others as written. ECMAScript §10.1.11.1.
func numericFirst(entries []entry) []entry {
	sorted := append([]entry(nil), entries...)
	sort.SliceStable(sorted, func(i, j int) bool {
		a, okA := ecma.ArrayIndex(sorted[i].key)
		b, okB := ecma.ArrayIndex(sorted[j].key)
		if okA && okB {
			return a < b
		}
		return okA && !okB
	})
	return sorted
}
