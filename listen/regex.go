package listen

import (
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf16"
)

// Limits of one pattern beside its length. They keep a hostile one from costing more than its
// text: RE2 writes repetitions out, and a search visits every atom per character of the name.
const (
	sizeMax   = 1100 // atoms once every repetition is written out: 2203 instructions, see instsMax
	repeatMax = 1000 // of one atom: the most RE2 takes
	depthMax  = 100  // of groups
)

// unbounded is the max of a term that may repeat for ever.
const unbounded = -1

// termKind is what reduce needs to know about a term.
type termKind uint8

const (
	termOther termKind = iota
	termUnit           // one code unit
	termDot            // "."
	termBegin          // "^"
	termEnd            // "$"
)

// term is an atom with its quantifier, or an assertion.
type term struct {
	kind     termKind
	unit     rune // of a termUnit, in unit form
	min, max int
	size     int // atoms when written out, quantifier included
}

func (t term) once(k termKind) bool { return t.kind == k && t.min == 1 && t.max == 1 }

// translate rewrites an ECMAScript pattern in RE2's syntax, to be matched against names in unit
// form. It returns the number of atoms, repetitions written out, and the terms as well if the pattern
// has a single alternative. Groups do not capture and laziness is dropped: nobody asks what matched,
// only whether something does.
func translate(text []byte) (source string, terms []term, size int, err error) {
	p := &parser{src: utf16.Encode([]rune(string(text)))}
	p.countGroups()
	terms, size, single := p.disjunction()
	if p.err == nil && p.pos < len(p.src) {
		p.fail(ErrSyntax, "unmatched )")
	}
	if p.err != nil {
		return "", nil, 0, p.err
	}
	if !single {
		terms = nil
	}
	return string(p.out), terms, size, nil
}

// parser is a recursive descent over code units, which is what a pattern without flags consists of.
// The first error sticks and moves pos to the end, so that every loop ends.
type parser struct {
	src    []uint16
	pos    int
	out    []byte
	depth  int
	groups int             // capturing groups in the whole pattern
	named  map[string]bool // names of groups met so far
	isName bool            // some group of the pattern has a name, which makes \k special
	err    error
}

func (p *parser) fail(kind error, why string) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: %s at %d", kind, why, p.pos)
	}
	p.pos = len(p.src)
}

// peek returns the unit i places ahead, or 0xFFFF, a noncharacter, behind the end.
func (p *parser) peek(i int) uint16 {
	if p.pos+i < len(p.src) {
		return p.src[p.pos+i]
	}
	return 0xFFFF
}

func (p *parser) more() bool { return p.pos < len(p.src) }

// accept consumes s, ASCII text, if it comes next.
func (p *parser) accept(s string) bool {
	if len(p.src)-p.pos < len(s) {
		return false
	}
	for i := range len(s) {
		if p.src[p.pos+i] != uint16(s[i]) {
			return false
		}
	}
	p.pos += len(s)
	return true
}

// countGroups looks ahead for what decides the meaning of \1 and \k everywhere in the pattern.
func (p *parser) countGroups() {
	class := false
	for i := 0; i < len(p.src); i++ {
		switch c := p.src[i]; {
		case c == '\\':
			i++
		case c == '[':
			class = true
		case c == ']':
			class = false
		case c == '(' && !class:
			at := parser{src: p.src, pos: i + 1}
			if !at.accept("?") {
				p.groups++
			} else if at.accept("<") && at.peek(0) != '=' && at.peek(0) != '!' {
				p.groups++
				p.isName = true
			}
		}
	}
}

// disjunction parses alternatives up to an unopened ")" or the end. terms are those of the first
// alternative, which is all there is if single.
func (p *parser) disjunction() (terms []term, size int, single bool) {
	single = true
	for p.more() && p.peek(0) != ')' {
		if p.accept("|") {
			p.out = append(p.out, '|')
			single = false
			size++
			continue
		}
		t := p.term()
		if single {
			terms = append(terms, t)
		}
		if size += t.size; size > sizeMax {
			p.fail(ErrUnsupported, "more than "+strconv.Itoa(sizeMax)+" atoms")
		}
	}
	return terms, size, single
}

func (p *parser) term() term {
	t := term{min: 1, max: 1, size: 1}
	switch c := p.peek(0); {
	case p.accept("^"):
		p.out = append(p.out, `\A`...)
		t.kind = termBegin
		return t
	case p.accept("$"):
		p.out = append(p.out, `\z`...)
		t.kind = termEnd
		return t
	case p.accept(`\b`):
		p.out = append(p.out, `\b`...)
		return t
	case p.accept(`\B`):
		p.out = append(p.out, `\B`...)
		return t
	case c == '(':
		t.size = p.group()
	case p.accept("."):
		t.kind = termDot
		p.emitSet(terminators, true)
	case p.accept("["):
		p.class()
	case p.accept(`\`):
		set, unit := p.escape(false)
		p.emitAtom(&t, set, unit)
	case c == '*' || c == '+' || c == '?':
		p.fail(ErrSyntax, "nothing to repeat")
	default:
		if _, _, ok := p.braces(); ok {
			p.fail(ErrSyntax, "nothing to repeat")
			return t
		}
		p.pos++ // also an unpaired "]", "{" or "}"
		p.emitAtom(&t, nil, c)
	}
	p.quantifier(&t)
	return t
}

func (p *parser) group() (size int) {
	p.pos++
	switch {
	case p.accept("?:"):
	case p.accept("?="), p.accept("?!"), p.accept("?<="), p.accept("?<!"):
		p.fail(ErrUnsupported, "look-around")
	case p.accept("?<"):
		p.groupName()
	case p.peek(0) == '?':
		p.fail(ErrSyntax, "unknown kind of group")
	}
	if p.depth++; p.depth > depthMax {
		p.fail(ErrUnsupported, "groups are nested too deep")
	}
	p.out = append(p.out, "(?:"...)
	_, size, _ = p.disjunction()
	p.out = append(p.out, ')')
	p.depth--
	if !p.accept(")") {
		p.fail(ErrSyntax, "group is not closed")
	}
	return size + 1
}

// groupName checks the name of a group up to its ">"; RE2 need not know it.
func (p *parser) groupName() {
	start := p.pos
	for p.more() && p.peek(0) != '>' {
		p.pos++
	}
	name := string(utf16.Decode(p.src[start:p.pos]))
	if !p.accept(">") || name == "" || p.named[name] {
		p.fail(ErrSyntax, "missing or repeated group name")
		return
	}
	for i, r := range name {
		letter := r == '$' || r == '_' || unicode.IsLetter(r) || unicode.In(r, unicode.Nl, unicode.Other_ID_Start)
		later := unicode.In(r, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, unicode.Other_ID_Continue) || r == 0x200C || r == 0x200D
		if r == '\\' {
			p.fail(ErrUnsupported, "escape in a group name")
		} else if !letter && (i == 0 || !later) {
			p.fail(ErrSyntax, "invalid group name")
		}
	}
	if p.named == nil {
		p.named = map[string]bool{}
	}
	p.named[name] = true
}

// quantifier parses what may follow an atom and applies it to t.
func (p *parser) quantifier(t *term) {
	least, most, ok := 0, 0, true
	switch {
	case p.accept("*"):
		least, most = 0, unbounded
	case p.accept("+"):
		least, most = 1, unbounded
	case p.accept("?"):
		least, most = 0, 1
	default:
		least, most, ok = p.braces()
	}
	if !ok {
		return
	}
	p.accept("?") // lazy
	switch {
	case most != unbounded && most < least:
		p.fail(ErrSyntax, "numbers out of order")
	case max(least, most) > repeatMax:
		p.fail(ErrUnsupported, "repeated too often")
	}
	t.min, t.max = least, most
	t.size *= max(least+1, most)
	p.emitQuantifier(least, most)
}

func (p *parser) emitQuantifier(least, most int) {
	p.out = append(p.out, '{')
	p.out = strconv.AppendInt(p.out, int64(least), 10)
	p.out = append(p.out, ',')
	if most != unbounded {
		p.out = strconv.AppendInt(p.out, int64(most), 10)
	}
	p.out = append(p.out, '}')
}

// braces parses {n}, {n,} or {n,m}. Anything else is not a quantifier but literal text, and is
// left alone.
func (p *parser) braces() (least, most int, ok bool) {
	start := p.pos
	if p.accept("{") {
		if least, ok = p.number(); ok {
			most = least
			if p.accept(",") {
				if most, ok = p.number(); !ok {
					most = unbounded
				}
			}
			if ok = p.accept("}"); ok {
				return least, most, true
			}
		}
	}
	p.pos = start
	return 0, 0, false
}

// number parses decimal digits; the value saturates far above every limit.
func (p *parser) number() (n int, ok bool) {
	for ; p.peek(0) >= '0' && p.peek(0) <= '9'; p.pos++ {
		n = min(n*10+int(p.peek(0)-'0'), 1<<20)
		ok = true
	}
	return n, ok
}

// class parses what follows "[".
func (p *parser) class() {
	negated := p.accept("^")
	var set unitSet
	for p.more() && p.peek(0) != ']' {
		first, low := p.classAtom()
		if p.peek(0) != '-' || p.peek(1) == ']' || p.pos+1 >= len(p.src) {
			set = addAtom(set, first, low)
			continue
		}
		p.pos++
		last, high := p.classAtom()
		switch {
		case first != nil || last != nil: // [\d-x] is three members
			set = addAtom(addAtom(set, first, low), last, high)
			set = append(set, unitRange{'-', '-'})
		case low > high:
			p.fail(ErrSyntax, "range out of order")
		default:
			set = append(set, unitRange{low, high})
		}
	}
	if !p.accept("]") {
		p.fail(ErrSyntax, "class is not closed")
	}
	p.emitSet(set, negated)
}

func addAtom(set, atom unitSet, unit uint16) unitSet {
	if atom != nil {
		return append(set, atom...)
	}
	return append(set, unitRange{unit, unit})
}

// classAtom parses one member of a class: a set such as \d, or else a unit.
func (p *parser) classAtom() (unitSet, uint16) {
	if p.accept(`\`) {
		return p.escape(true)
	}
	c := p.peek(0)
	p.pos++
	return nil, c
}

// escape parses what follows a backslash; it stands for a set or, if that is nil, for a unit. An
// escape that means nothing stands for its second character. Source: ECMA-262 Annex B.1.2.
func (p *parser) escape(inClass bool) (unitSet, uint16) {
	if !p.more() {
		p.fail(ErrSyntax, `\ at the end`)
		return nil, 0
	}
	c := p.peek(0)
	p.pos++
	if set := classOf(c); set != nil {
		return set, 0
	}
	switch c {
	case 'b': // in classes only
		return nil, '\b'
	case 'f':
		return nil, '\f'
	case 'n':
		return nil, '\n'
	case 'r':
		return nil, '\r'
	case 't':
		return nil, '\t'
	case 'v':
		return nil, '\v'
	case 'c':
		return nil, p.control(inClass)
	case 'x':
		return nil, p.hex(2, c)
	case 'u':
		return nil, p.hex(4, c)
	case 'k':
		if p.isName {
			p.fail(ErrUnsupported, "back-reference")
		}
	}
	if c >= '0' && c <= '9' {
		p.pos--
		return nil, p.decimal(inClass)
	}
	return nil, c
}

// control parses the letter of \cX. Without one the backslash stands for itself.
func (p *parser) control(inClass bool) uint16 {
	c := p.peek(0)
	letter := c|0x20 >= 'a' && c|0x20 <= 'z'
	if letter || inClass && (c >= '0' && c <= '9' || c == '_') {
		p.pos++
		return c % 32
	}
	p.pos--
	return '\\'
}

// hex parses exactly count digits, or stands for otherwise if there are fewer.
func (p *parser) hex(count int, otherwise uint16) uint16 {
	var digits [4]byte
	for i := range count {
		c := p.peek(i)
		if c > unicode.MaxASCII {
			return otherwise
		}
		digits[i] = byte(c)
	}
	v, err := strconv.ParseUint(string(digits[:count]), 16, 16)
	if err != nil {
		return otherwise
	}
	p.pos += count
	return uint16(v)
}

// decimal parses \1 to \9, which refer back if there are that many groups, and else, as \0 does,
// mean a unit by its octal number.
func (p *parser) decimal(inClass bool) uint16 {
	start := p.pos
	n, _ := p.number()
	if !inClass && p.src[start] != '0' && n <= p.groups {
		p.fail(ErrUnsupported, "back-reference")
		return 0
	}
	p.pos = start
	if c := p.peek(0); c >= '8' {
		p.pos++
		return c
	}
	v := uint16(0)
	for i := 0; i < 3 && p.peek(0) >= '0' && p.peek(0) <= '7' && v*8+p.peek(0)-'0' <= 0o377; i++ {
		v = v*8 + p.peek(0) - '0'
		p.pos++
	}
	return v
}

func (p *parser) emitAtom(t *term, set unitSet, unit uint16) {
	if set != nil {
		p.emitSet(set, false)
		return
	}
	t.kind, t.unit = termUnit, unitRune(unit)
	p.emitRune(t.unit)
}

func (p *parser) emitRune(r rune) {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
		p.out = append(p.out, byte(r))
		return
	}
	p.out = append(p.out, `\x{`...)
	p.out = strconv.AppendInt(p.out, int64(r), 16)
	p.out = append(p.out, '}')
}

// emitSet writes a class. RE2 knows no empty one: the complement of everything stands for it.
func (p *parser) emitSet(set unitSet, negated bool) {
	if len(set) == 0 {
		set, negated = unitSet{{0, 0xFFFF}}, !negated
	}
	p.out = append(p.out, '[')
	if negated {
		p.out = append(p.out, '^')
	}
	for _, r := range set {
		p.emitRange(r.first, min(r.last, surrogateFirst-1))
		p.emitRange(max(r.first, surrogateFirst), min(r.last, surrogateLast))
		p.emitRange(max(r.first, surrogateLast+1), r.last)
	}
	p.out = append(p.out, ']')
}

func (p *parser) emitRange(first, last uint16) {
	if first > last {
		return
	}
	p.emitRune(unitRune(first))
	p.out = append(p.out, '-')
	p.emitRune(unitRune(last))
}
