package valve

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"deepstream-fast/internal/doctree"
	"deepstream-fast/permission"
)

const (
	// fileBytesMax is the largest permission file.
	fileBytesMax = 16 << 20
	// pathsMax is how many paths a section may have.
	pathsMax = 10_000
)

// Source is a permission file.
type Source struct {
	File    string   // name, whose extension tells the format: .yml, .yaml, .json or .toml
	Text    []byte   // content
	Section []string // keys that lead to the permissions, if they are part of a larger file

	// Env replaces ${NAME} as the configuration does in the files it loads; nil leaves it.
	Env func(name string) (value string, set bool)
}

// Load compiles a permission file. With rules come warnings; without them an Errors with what is wrong,
// problemsMax problems at most. Safe for concurrent use.
func Load(src Source) (*Rules, []Problem, error) {
	root, text, err := readDocument(src)
	if err != nil {
		return nil, nil, err
	}
	l := loader{file: src.File, text: text, rules: &Rules{file: src.File}}
	l.document(root)
	byPlace := func(a, b Problem) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column)) }
	slices.SortStableFunc(l.problems, byPlace)
	slices.SortStableFunc(l.warnings, byPlace)
	l.warnings = l.warnings[:min(len(l.warnings), problemsMax)]
	if len(l.problems) > 0 {
		return nil, nil, Errors(l.problems[:min(len(l.problems), problemsMax)])
	}
	l.rules.finish()
	return l.rules, l.warnings, nil
}

// loader turns a document into Rules.
type loader struct {
	file, text string
	rules      *Rules
	problems   []Problem
	warnings   []Problem
}

// collectMax bounds the problems looked at to find the first problemsMax of them.
const collectMax = 10 * problemsMax

func (l *loader) at(t *doctree.Node) position {
	p := position{file: l.file, text: l.text, from: t.Pos}
	if t.Kind == doctree.Text {
		p.says = t.Text
	}
	return p
}

func (l *loader) fail(from int, key, format string, args ...any) {
	if len(l.problems) < collectMax {
		l.problems = append(l.problems, problemAt(l.file, l.text, from, key, fmt.Sprintf(format, args...)))
	}
}

func (l *loader) warn(p Problem) {
	if len(l.warnings) < collectMax {
		l.warnings = append(l.warnings, p)
	}
}

// document checks what the official server checks, but reports all of it.
func (l *loader) document(root *doctree.Node) {
	if root.Kind != doctree.Table {
		l.fail(root.Pos, "", "permissions are a section with the keys %s", strings.Join(sections, ", "))
		return
	}
	for _, name := range sections {
		if root.Get(name) == nil {
			l.fail(root.Pos, "", "section %q is missing; all of %s have to be there", name, strings.Join(sections, ", "))
		}
	}
	for _, e := range root.Entries {
		if !slices.Contains(sections, e.Key) {
			l.fail(e.Pos, e.Key, "unknown section; there are %s", strings.Join(sections, ", "))
			continue
		}
		l.section(e)
	}
}

func (l *loader) section(e doctree.Entry) {
	switch {
	case e.Value.Kind != doctree.Table:
		l.fail(e.Value.Pos, e.Key, "a section holds paths")
		return
	case len(e.Value.Entries) > pathsMax:
		l.fail(e.Pos, e.Key, "more than the maximum of %d paths", pathsMax)
		return
	case e.Value.Get("*") == nil:
		l.fail(e.Pos, e.Key, `the path "*" is missing: it decides about all names that no other path matches`)
	}
	for _, path := range numericFirst(e.Value.Entries) {
		l.path(e.Key, path)
	}
}

func (l *loader) path(section string, e doctree.Entry) {
	key := section + "." + strconv.Quote(e.Key)
	p, warning, err := compilePath(e.Key)
	switch {
	case err != nil:
		l.fail(e.Pos, key, "%s", err.Error())
		return
	case e.Value.Kind != doctree.Table:
		l.fail(e.Value.Pos, key, "a path holds rules")
		return
	case warning != "":
		l.warn(problemAt(l.file, l.text, e.Pos, key, warning))
	}
	for _, r := range e.Value.Entries {
		kind, known := kindByName(section, r.Key)
		if !known {
			l.fail(r.Pos, key+"."+r.Key, "unknown rule type; %s has %s", section, strings.Join(typesOf(section), ", "))
			continue
		}
		if compiled := l.rule(kind, p, r, key+"."+r.Key); compiled != nil {
			with := *p
			with.rule = compiled
			l.rules.kinds[kind].patterns = append(l.rules.kinds[kind].patterns, &with)
			l.rules.count++
		}
	}
}

// typesOf returns the rule types of a section.
func typesOf(section string) (names []string) {
	for _, spec := range ruleSpecs {
		if spec.section == section {
			names = append(names, spec.name)
		}
	}
	return names
}

// rule compiles one rule, or returns nil after reporting why it cannot.
func (l *loader) rule(kind ruleKind, p *pattern, e doctree.Entry, key string) *rule {
	r := &rule{kind: kind, path: p.text, text: e.Value.Text, at: l.at(e.Value)}
	switch {
	case e.Value.Kind == doctree.Bool:
		r.constant = true
		if e.Value.Text == "true" {
			r.answer = permission.Allow
		}
		return r
	case e.Value.Kind != doctree.Text:
		l.fail(e.Value.Pos, key, "a rule is true, false or an expression")
		return nil
	}
	root, err := parse(r.text)
	if err != nil {
		var syntax *syntaxError
		if errors.As(err, &syntax) {
			l.problem(r.at.problem(syntax.from, key, syntax.message))
		}
		return nil
	}
	c := check{scope: scope{kind: kind, vars: p.vars}}
	r.root = c.resolve(root)
	r.uses = c.uses
	for _, w := range c.warnings {
		l.warn(r.at.problem(w.from, key, w.message))
	}
	if c.err != nil {
		l.problem(r.at.problem(c.err.from, key, c.err.message))
		return nil
	}
	l.constant(r, key)
	return r
}

func (l *loader) problem(p Problem) {
	if len(l.problems) < collectMax {
		l.problems = append(l.problems, p)
	}
}

// constant notes that a rule always has the same result.
func (l *loader) constant(r *rule, key string) {
	if r.root.op != opConst {
		return
	}
	r.constant = true
	if r.root.v.truthy() {
		r.answer = permission.Allow
	}
	if r.root.v.kind != kindBool {
		l.warn(r.at.problem(0, key, "the rule always has a result of type "+r.root.v.typeName()+"; write true or false"))
	}
}
