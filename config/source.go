package config

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"sort"
	"strings"
	"syscall"

	"deepstream-fast/internal/doctree"
)

const (
	configBytesMax = 1 << 20  // a configuration file
	loadedBytesMax = 16 << 20 // a file named by fileLoad, and any text after substitution
	filesMax       = 64       // read for one configuration
)

// source is one file: the text as written, the text after substitution, and the way back.
type source struct {
	name string
	raw  string
	text string
	cuts []cut // ascending
}

// cut says that text[out:outEnd] stands for raw[in:inEnd].
type cut struct {
	out, outEnd int
	in, inEnd   int
	variable    string // empty for an escaped "${"
}

// read returns the content of path without a byte order mark, an error if it exceeds limit bytes.
func read(path string, limit int64) (string, error) {
	data, err := ReadFile(path, limit)
	return strings.TrimPrefix(string(data), "\ufeff"), err
}

// ReadFile returns the content of a file that the configuration names, or an error if it exceeds limit
// bytes. It must be a regular file: a pipe could keep a running server waiting for ever, and is not there
// to be read again.
func ReadFile(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not wait for its writer
	if err != nil {
		return nil, err
	}
	defer f.Close()
	switch info, err := f.Stat(); {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("read %s: is a directory", path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("read %s: is not a regular file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is larger than the maximum of %s", path, Size(limit))
	}
	return data, nil
}

// reference is the inside of a ${}: a name and, perhaps, a default.
var reference = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)(:-([^}\n]*))?\}`)

// newSource substitutes ${NAME} and ${NAME:-default} in raw; $${ yields ${. As in a shell, the
// default also replaces an empty value. Comment lines stay as they are if comments is true.
// An unset variable is reported and stands as 0, so that the rest of the file is still checked.
func newSource(name, raw string, comments bool, env func(string) (string, bool), r *report) *source {
	r.files = append(r.files, name)
	s := &substitution{source: source{name: name, raw: raw}, env: env, report: r}
	for at := 0; at < len(raw) && s.out.Len() <= loadedBytesMax; {
		end := len(raw)
		if i := strings.IndexByte(raw[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		if !comments || !strings.HasPrefix(strings.TrimLeft(raw[at:end], " \t"), "#") {
			s.line(at, end)
		}
		at = end
	}
	s.out.WriteString(raw[s.copied:])
	s.text = s.out.String()
	if len(s.text) > loadedBytesMax {
		r.add(Problem{File: name, Message: fmt.Sprintf("larger than the maximum of %s after substitution", Size(loadedBytesMax))})
		s.text, s.cuts = "", nil
	}
	return &s.source
}

// substitution is a source in the making.
type substitution struct {
	source
	env    func(string) (string, bool)
	report *report
	out    strings.Builder
	copied int // raw[:copied] is in out
}

// line substitutes within raw[at:end].
func (s *substitution) line(at, end int) {
	for s.out.Len() <= loadedBytesMax {
		i := strings.Index(s.raw[at:end], "${")
		if i < 0 {
			return
		}
		in := at + i
		if in > s.copied && s.raw[in-1] == '$' {
			s.replace(in-1, in+2, "${", "")
			at = in + 2
			continue
		}
		m := reference.FindStringSubmatch(s.raw[in:end])
		if m == nil {
			s.problem(in, `"${" does not start a reference such as ${NAME} or ${NAME:-default}; write "$${" for the two characters`, false)
			at = in + 2
			continue
		}
		at = in + len(m[0])
		s.replace(in, at, s.value(in, m), m[1])
	}
}

// value returns what stands for the reference at offset in, whose parts are m.
func (s *substitution) value(in int, m []string) string {
	value, set := s.env(m[1])
	if m[2] != "" && value == "" {
		return m[3]
	}
	if !set {
		s.problem(in, fmt.Sprintf("environment variable %s is not set and has no default; set it or write ${%s:-default}", m[1], m[1]), true)
		return "0"
	}
	return value
}

func (s *substitution) replace(in, inEnd int, value, variable string) {
	s.out.WriteString(s.raw[s.copied:in])
	start := s.out.Len()
	s.out.WriteString(value)
	s.cuts = append(s.cuts, cut{start, s.out.Len(), in, inEnd, variable})
	s.copied = inEnd
}

// problem reports message at offset in; unset makes other problems of that line meaningless.
func (s *substitution) problem(in int, message string, unset bool) {
	if s.report.full() {
		return
	}
	p := s.rawProblem(in, message)
	p.unset = unset
	s.report.add(p)
	if unset {
		s.report.unset[lineOf{p.File, p.Line}] = true
	}
}

// problem returns a Problem at offset off of s.text.
func (s *source) problem(off int, key, message string) Problem {
	in, variable := s.origin(off)
	p := s.rawProblem(in, message)
	p.Key = key
	if variable != "" {
		p.Message += " (in the value of ${" + variable + "})"
	}
	return p
}

// origin maps an offset of s.text to one of s.raw, and names the variable that text came from.
func (s *source) origin(off int) (int, string) {
	off = min(max(off, 0), len(s.text))
	i := sort.Search(len(s.cuts), func(i int) bool { return s.cuts[i].out > off }) - 1
	if i < 0 {
		return off, ""
	}
	c := s.cuts[i]
	if off < c.outEnd {
		return c.in, c.variable
	}
	return c.inEnd + off - c.outEnd, ""
}

// rawProblem returns a Problem at offset in of s.raw.
func (s *source) rawProblem(in int, message string) Problem {
	at := doctree.PlaceOf(s.raw, in)
	return Problem{File: s.name, Line: at.Line, Column: at.Column, Message: message, Source: at.Source}
}
