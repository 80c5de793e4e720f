package listen

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"unicode/utf8"

	"deepstream-fast/internal/invariant"
)

// Reasons for refusing a pattern; all of them are the peer's mistake (INVALID_LISTEN_REGEX).
var (
	ErrPatternLength = errors.New("listen: pattern is empty or too long")
	ErrSyntax        = errors.New("listen: pattern is not a regular expression")
	ErrUnsupported   = errors.New("listen: pattern needs more than a linear-time engine offers")
)

// shape says how a Pattern is matched: by the regular expression, or by an exactly equivalent
// operation on bytes, which most patterns in use allow.
type shape uint8

const (
	shapeRegexp   shape = iota // has the prefix lit, and matches re
	shapeAll                   // every name
	shapeContains              // news/  news/.*  .*news/
	shapePrefix                // ^news/  ^news/.*
	shapeSuffix                // /latest$
	shapeEqual                 // ^news/latest$
	shapeLine                  // ^news/.*$  ^news/.+$: lit, then at least tail units of one line
)

// Pattern is a compiled listener pattern: the source of an ECMAScript regular expression without
// flags, searched for anywhere in the name. It never changes, and is safe for concurrent use.
type Pattern struct {
	text  []byte
	shape shape
	tail  int
	lit   []byte // in unit form
	must  []byte // in unit form: shapeRegexp without lit matches only names that contain it
	insts int    // of re, at most
	re    *regexp.Regexp
}

// A test against a regular expression takes at most 10 ns an instruction and byte of the name, so a
// product of the two is what a test is said to cost. One test can't be interrupted: what would cost
// more than testCostMax, 20 ms, does not match. That is a name of the greatest length for 32
// instructions, and of 950 bytes for the largest pattern.
const (
	testCostMax = 1 << 21
	bytesPerOp  = 32 // of plain text, searched for in the time of one instruction
)

// instsMax returns how many instructions an expression of some atoms compiles to at most: one each,
// one for the choice that an alternative or a quantifier is, and three around it all.
func instsMax(size int) int { return 2*size + 3 }

// Compile compiles text, of which it keeps a copy. The error wraps ErrPatternLength for an empty text
// or one of more than maxLen bytes, ErrSyntax for what JavaScript would refuse as well, and
// ErrUnsupported for look-around, back-references, escapes in group names and expressions that repeat
// too much (see sizeMax). Time and memory are bounded by maxLen and sizeMax.
// Source: spec/listen.md §2; ECMA-262 §22.2.1 and Annex B.1.2.
func Compile(text []byte, maxLen int) (*Pattern, error) {
	if len(text) == 0 || len(text) > maxLen {
		return nil, fmt.Errorf("%w: %d bytes, want 1 to %d", ErrPatternLength, len(text), maxLen)
	}
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("%w: it is not UTF-8", ErrSyntax)
	}
	source, terms, size, err := translate(text)
	if err != nil {
		return nil, err
	}
	p := &Pattern{text: bytes.Clone(text), insts: instsMax(size)}
	p.reduce(terms)
	if p.shape == shapeRegexp || invariant.Enabled {
		if p.re, err = regexp.Compile(source); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
		}
	}
	if p.shape == shapeRegexp && p.lit == nil {
		must, _ := p.re.LiteralPrefix()
		p.must = []byte(must)
	}
	return p, nil
}

// Text returns the source of the pattern, which the caller must not change.
func (p *Pattern) Text() []byte { return p.text }

// Match reports whether the pattern matches somewhere in name, UTF-8 text, and could find that out
// within testCostMax. Hot path: 0 allocs, see BenchmarkMatch; a copy if name has characters beyond
// U+FFFF.
func (p *Pattern) Match(name []byte) bool {
	units, _ := unitForm(nil, name)
	ok, _ := p.test(units)
	return ok
}

// test is Match for a name in unit form, and tells what it cost.
func (p *Pattern) test(units []byte) (ok bool, cost int) {
	cost = 1 + len(units)/bytesPerOp
	switch {
	case p.shape != shapeRegexp:
		ok = p.matchText(units)
	case !bytes.HasPrefix(units, p.lit) || !bytes.Contains(units, p.must):
	case p.insts*len(units) > testCostMax:
		return false, cost
	default:
		return p.re.Match(units), cost + p.insts*len(units)
	}
	if invariant.Enabled && ok != p.re.Match(units) {
		invariant.Assert(false, "listen: shape %d of %q disagrees on %q", p.shape, p.text, units)
	}
	return ok, cost
}

// matchText is the match of all shapes but shapeRegexp.
func (p *Pattern) matchText(units []byte) bool {
	switch p.shape {
	case shapeAll:
		return true
	case shapeContains:
		return bytes.Contains(units, p.lit)
	case shapePrefix:
		return bytes.HasPrefix(units, p.lit)
	case shapeSuffix:
		return bytes.HasSuffix(units, p.lit)
	case shapeEqual:
		return bytes.Equal(units, p.lit)
	case shapeLine:
		return len(units) >= len(p.lit)+p.tail && bytes.HasPrefix(units, p.lit) && oneLine(units[len(p.lit):])
	default:
		return false
	}
}

// oneLine reports whether b is free of what "." does not match.
func oneLine(b []byte) bool {
	for i, c := range b {
		switch {
		case c == '\n' || c == '\r':
			return false
		case c == 0xE2 && len(b) > i+2 && b[i+1] == 0x80 && b[i+2]&^1 == 0xA8: // U+2028, U+2029
			return false
		}
	}
	return true
}

// reduce picks the shape from the terms of a pattern that has a single alternative (else none). As
// the question is only whether something matches, an optional term on an open end can be left out and
// a repeated one reduced to its minimum.
func (p *Pattern) reduce(terms []term) {
	if terms == nil {
		return
	}
	begin := len(terms) > 0 && terms[0].kind == termBegin
	if begin {
		terms = terms[1:]
	}
	end := len(terms) > 0 && terms[len(terms)-1].kind == termEnd
	if end {
		terms = terms[:len(terms)-1]
	}
	for !end && len(terms) > 0 && terms[len(terms)-1].min == 0 {
		terms = terms[:len(terms)-1]
	}
	for !begin && len(terms) > 0 && terms[0].min == 0 {
		terms = terms[1:]
	}
	if !end && len(terms) > 0 {
		terms[len(terms)-1].max = terms[len(terms)-1].min
	}
	if !begin && len(terms) > 0 {
		terms[0].max = terms[0].min
	}
	lits := 0
	for lits < len(terms) && terms[lits].once(termUnit) {
		p.lit = utf8.AppendRune(p.lit, terms[lits].unit)
		lits++
	}
	switch rest := terms[lits:]; {
	case len(rest) == 0:
		p.shape = literalShape(begin, end, len(p.lit))
	case begin && end && len(rest) == 1 && rest[0].kind == termDot && rest[0].min <= 1 && rest[0].max == unbounded:
		p.shape, p.tail = shapeLine, rest[0].min
	case !begin:
		p.lit = nil // not a prefix; regexp looks for leading literals itself
	}
}

func literalShape(begin, end bool, size int) shape {
	switch {
	case begin && end:
		return shapeEqual
	case size == 0:
		return shapeAll
	case begin:
		return shapePrefix
	case end:
		return shapeSuffix
	default:
		return shapeContains
	}
}
