package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"deepstream-fast/internal/doctree"
)

// Conversion is a configuration of the official server in our format.
type Conversion struct {
	Text  string    // TOML
	Notes []Problem // what is different now, each at its place in the old file
}

// Convert turns the configuration of an official server, YAML or JSON, into one that means the same here.
// target is the file it will be written to, or "" if that is in the same folder: relative paths in it are
// adapted. The result has been loaded; what this server cannot honour is the error, an Errors with places
// in the old file, and never left out if somebody could get in, or data lost, for want of it. What has no
// meaning here is left out with a comment in Text and one of Notes.
func Convert(path, target string, env func(string) (string, bool)) (*Conversion, error) {
	ext := filepath.Ext(path)
	switch {
	case ext == ".js":
		return nil, fmt.Errorf("config: %s: JavaScript is not executed here; write what it exports as YAML or JSON", path)
	case ext == ".toml" || !doctree.Known(ext):
		return nil, fmt.Errorf("config: %s: expected a configuration of the official server, .yml, .yaml or .json", path)
	}
	raw, err := read(path, configBytesMax)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	if target == "" {
		target = filepath.Join(filepath.Dir(path), "conf.toml")
	}
	if filepath.Ext(target) != ".toml" {
		return nil, fmt.Errorf("config: %s: the result is TOML: expected a name that ends in .toml", target)
	}
	return convert(path, raw, target, env)
}

// convert is Convert for text already read.
func convert(path, raw, target string, env func(string) (string, bool)) (*Conversion, error) {
	c := newConverter(path, raw, target)
	text, err := c.convert(raw)
	if err != nil {
		return nil, err
	}
	if err := c.check(text, env); err != nil {
		return nil, err
	}
	slices.SortStableFunc(c.notes, func(a, b Problem) int { return a.Line - b.Line })
	return &Conversion{Text: text, Notes: c.notes}, nil
}

// converter is one conversion at work on the tree of the old file.
type converter struct {
	path, target string
	prefix       string   // of the numbers that stand for variables
	variables    []string // by number

	notes    []Problem
	comments map[*node][]string // lines to stand above a value
	dropped  map[*node][]string // lines to stand in a section, about what is missing there
	origin   map[string]*node   // by path in the new file
}

func newConverter(path, raw, target string) *converter {
	c := &converter{path: path, target: target, comments: map[*node][]string{}, dropped: map[*node][]string{}, origin: map[string]*node{}}
	// A number is read as one scalar, quoted or not, in both formats.
	for n := 90210077; ; n++ {
		if c.prefix = strconv.Itoa(n); !strings.Contains(raw, c.prefix) {
			return c
		}
	}
}

// convert returns raw in our format, which may still ask for what this server does not have.
func (c *converter) convert(raw string) (string, error) {
	r := newReport()
	root := parse(newSource(c.path, c.readable(raw), true, c.token, r), r)
	if _, err := r.finish(); err != nil {
		return "", err
	}
	if root.kind != kindTable {
		return "", Errors{root.src.problem(root.pos, "", "expected a section with the keys of a configuration")}
	}
	c.rewrite(root)
	return c.write(root), nil
}

// token gives a variable the number that stands for it while the file is parsed. It is the env of the old
// file's source.
func (c *converter) token(name string) (string, bool) {
	i := slices.Index(c.variables, name)
	if i < 0 {
		i = len(c.variables)
		c.variables = append(c.variables, name)
	}
	return fmt.Sprintf("%s%04d", c.prefix, i), true
}

// restore puts the variables back into text; other "${" are written as they have to be here.
func (c *converter) restore(text string) string {
	text = strings.ReplaceAll(text, "${", "$${")
	for i, name := range c.variables {
		text = strings.ReplaceAll(text, fmt.Sprintf("%s%04d", c.prefix, i), "${"+name+"}")
	}
	return text
}

// readable blanks the comments that the official server allows in JSON. Everything stays in its place.
func (c *converter) readable(raw string) string {
	if filepath.Ext(c.path) != ".json" {
		return raw
	}
	b := []byte(raw)
	for i, quoted, comment := 0, false, false; i < len(b); i++ {
		switch {
		case b[i] == '\n':
			quoted, comment = false, false
		case comment:
			b[i] = ' '
		case quoted && b[i] == '\\':
			i++
		case b[i] == '"':
			quoted = !quoted
		case b[i] == '#' && !quoted:
			b[i], comment = ' ', true
		}
	}
	return string(b)
}

// note tells of a difference at n.
func (c *converter) note(n *node, path, message string) {
	p := n.src.problem(n.pos, path, message)
	c.notes = append(c.notes, p)
}

// drop leaves an entry of n out, and says so in both files.
func (c *converter) drop(n *node, key, path, why string) {
	at := slices.IndexFunc(n.entries, func(e entry) bool { return e.key == key })
	p := n.src.problem(n.entries[at].pos, path, path+" is left out: "+why)
	c.notes = append(c.notes, p)
	c.dropped[n] = append(c.dropped[n], fmt.Sprintf("left out: %s (line %d): %s", key, p.Line, why))
	n.remove(key)
}

// remove takes an entry out of a table.
func (n *node) remove(key string) {
	n.entries = slices.DeleteFunc(n.entries, func(e entry) bool { return e.key == key })
	n.index = map[string]int{}
	for i, e := range n.entries {
		n.index[e.key] = i
	}
}

// set gives a key of a table another value, or adds it.
func (n *node) set(key string, value *node) {
	if i, ok := n.index[key]; ok {
		n.entries[i].value = value
		return
	}
	n.put(key, n.pos, value)
}

// with returns a text node for s at the place of n.
func (n *node) with(s string) *node { return &node{kind: kindString, src: n.src, pos: n.pos, text: s} }

// table returns an empty section at the place of n.
func (n *node) table() *node { return &node{kind: kindTable, src: n.src, pos: n.pos} }

// list returns a list of items at the place of n.
func (n *node) list(items ...*node) *node {
	return &node{kind: kindList, src: n.src, pos: n.pos, items: items}
}

// check loads text and returns what is wrong with it at the places of the old file. A variable that is not
// set now may be so later.
func (c *converter) check(text string, env func(string) (string, bool)) error {
	loaded, err := load(c.target, text, env)
	var problems Errors
	switch {
	case err == nil:
		for _, w := range loaded.Warnings {
			c.notes = append(c.notes, c.placed(w))
		}
		return nil
	case !errors.As(err, &problems):
		return err
	}
	var left Errors
	for _, p := range problems {
		if !p.unset {
			left = append(left, c.placed(p))
		}
	}
	if len(left) == 0 {
		return nil
	}
	return left
}

// placed returns p at the place in the old file that its key comes from. Files that it loads are the same.
func (c *converter) placed(p Problem) Problem {
	if p.File != c.target {
		return p
	}
	for at := p.Key; at != ""; at = at[:max(0, strings.LastIndexAny(at, ".["))] {
		if n := c.origin[at]; n != nil {
			return n.src.problem(n.pos, p.Key, p.Message)
		}
	}
	return Problem{File: c.path, Key: p.Key, Message: p.Message}
}

// macroCall is a macro, path() being an old name for file().
var macroCall = regexp.MustCompile(`^\s*(fileLoad|file|path)\(\s*(.*?)\s*\)\s*$`)

// macroText returns a macro in our spelling, its path relative to the new file.
func (c *converter) macroText(name, path string) string {
	if name == "path" {
		name = "file"
	}
	from, to := filepath.Dir(c.path), filepath.Dir(c.target)
	if !filepath.IsAbs(path) && from != to {
		if rel, err := filepath.Rel(to, filepath.Join(from, path)); err == nil {
			path = rel
		}
	}
	return name + "(" + path + ")"
}
