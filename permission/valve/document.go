package valve

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"unicode/utf8"

	"deepstream-fast/internal/doctree"
	"deepstream-fast/internal/ecma"
)

// limits of a permission file. YAML aliases count each time they are used.
var limits = doctree.Limits{Values: 1 << 18, Depth: 64}

// readDocument returns the permission document in src and the text that its offsets are in. The error
// is an Errors.
func readDocument(src Source) (*doctree.Node, string, error) {
	text := strings.TrimPrefix(string(src.Text), "\ufeff")
	ext := filepath.Ext(src.File)
	switch {
	case len(text) > fileBytesMax:
		return nil, text, Errors{{File: src.File, Message: fmt.Sprintf("the file has more than the maximum of %d bytes", fileBytesMax)}}
	case !doctree.Known(ext):
		return nil, text, Errors{{File: src.File, Message: "unknown format; expected a name that ends in .yml, .yaml, .json or .toml"}}
	case !utf8.ValidString(text):
		return nil, text, Errors{{File: src.File, Message: "the file is not UTF-8"}}
	}
	if src.Env != nil {
		text = substitute(text, doctree.HasComments(ext), src.Env)
	}
	root, err := doctree.Parse(ext, text, limits)
	if err == nil && root == nil {
		err = errors.New("the file is empty")
	}
	for _, key := range src.Section {
		if err == nil {
			if root = root.Get(key); root == nil {
				err = fmt.Errorf("there is no %s", strings.Join(src.Section, "."))
			}
		}
	}
	if err == nil {
		return root, text, nil
	}
	from, message := 0, err.Error()
	var wrong *doctree.Error
	if errors.As(err, &wrong) {
		from = wrong.Pos
		if wrong.Again {
			message += fmt.Sprintf(" in line %d", placeOf(src.File, text, wrong.First).line)
		}
	}
	return nil, text, Errors{problemAt(src.File, text, from, "", message)}
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

// numericFirst orders keys as JavaScript iterates them: those that are array indexes come first, in
// ascending order, then the others as written. ECMAScript §10.1.11.1.
func numericFirst(entries []doctree.Entry) []doctree.Entry {
	sorted := append([]doctree.Entry(nil), entries...)
	sort.SliceStable(sorted, func(i, j int) bool {
		a, okA := ecma.ArrayIndex(sorted[i].Key)
		b, okB := ecma.ArrayIndex(sorted[j].Key)
		if okA && okB {
			return a < b
		}
		return okA && !okB
	})
	return sorted
}
