package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"

	"deepstream-fast/internal/doctree"
)

// macro is a whole string value that names a file.
var macro = regexp.MustCompile(`^\s*(fileLoad|file)\((.*)\)\s*$`)

// expander replaces macros in a document. Loaded documents are not searched for more of them.
type expander struct {
	dir    string // of the configuration file: paths are relative to it
	env    func(string) (string, bool)
	report *report
}

// expand replaces every macro below n.
func (x *expander) expand(n *node) {
	switch n.kind {
	case kindString:
		if m := macro.FindStringSubmatch(n.text); m != nil {
			x.replace(n, m[1], strings.TrimSpace(m[2]))
		}
	case kindList:
		for _, item := range n.items {
			x.expand(item)
		}
	case kindTable:
		for _, e := range n.entries {
			x.expand(e.value)
		}
	}
}

// replace turns n into what the macro stands for: a path for file, the content of it for fileLoad.
func (x *expander) replace(n *node, name, path string) {
	if path == "" {
		x.fail(n, name+"() needs a path")
		return
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(x.dir, path)
	}
	if name == "file" {
		n.text = path
		return
	}
	if len(x.report.files) >= filesMax {
		x.fail(n, fmt.Sprintf("fileLoad: more than the maximum of %d files", filesMax))
		return
	}
	raw, err := read(path, loadedBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		x.fail(n, "fileLoad: "+path+" does not exist; paths are relative to the configuration file")
		return
	}
	if err != nil {
		x.fail(n, "fileLoad: "+err.Error())
		return
	}
	ext := filepath.Ext(path)
	s := newSource(path, raw, doctree.HasComments(ext), x.env, x.report)
	if !doctree.Known(ext) {
		n.text, n.file = s.text, path
		return
	}
	if loaded := parse(s, x.report); loaded != nil {
		*n = *loaded
		n.file = path
	} else {
		n.kind = kindBroken
	}
}

func (x *expander) fail(n *node, message string) {
	n.kind = kindBroken
	if !x.report.full() {
		x.report.add(n.src.problem(n.pos, "", message))
	}
}
