package valve

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// translator turns the pattern of a JavaScript regular expression into one that RE2 and regexp2 read
// alike. What only the latter can express makes it say so: look-around, back-references, ^ and $ with flag
// m, more than 1,000 repetitions.
type translator struct {
	src                                    string
	ignoreCase, multiline, dotAll, unicode bool
	units                                  bool // a character above U+FFFF is two

	pos       int
	out       strings.Builder
	backtrack bool
	groups    int      // capturing groups of the whole pattern
	names     []string // by group number - 1; "" for those without
	depth     int
	atom      bool // what was read last may be repeated
}

// lineEnds is the inside of a class.
const lineEnds = `\n\r` + "\u2028\u2029"

// spaces is \s of JavaScript as the inside of a class: see ecma.IsSpace.
const spaces = `\t\n\v\f\r ` + "\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"

// notSpaces is \S likewise; halves of surrogate pairs are behind the last range.
const notSpaces = `\x00-\x08\x0e-\x1f!-` + "\u009f\u00a1-\u167f\u1681-\u1fff\u200b-\u2027\u202a-\u202e\u2030-\u205e\u2060-\u2fff\u3001-\ufefe\uff00-\U0010ffff"

var errRegexEnd = errors.New("it ends too early")

// translate returns the translation and whether it needs backtracking.
func (t *translator) translate() (text string, backtrack bool, err error) {
	if !utf8.ValidString(t.src) {
		return "", false, errors.New("it is not UTF-8")
	}
	t.scanGroups()
	for t.pos < len(t.src) && err == nil {
		err = t.term()
	}
	if err == nil && t.depth > 0 {
		err = errors.New("a group is not closed")
	}
	return t.out.String(), t.backtrack, err
}

// scanGroups counts the capturing groups and notes their names.
func (t *translator) scanGroups() {
	class := false
	for i := 0; i < len(t.src); i++ {
		switch c := t.src[i]; {
		case c == '\\':
			i++
		case c == '[':
			class = true
		case c == ']':
			class = false
		case c == '(' && !class:
			rest := t.src[i+1:]
			named := namedGroup.FindStringSubmatch(rest)
			if strings.HasPrefix(rest, "?") && named == nil {
				continue
			}
			t.groups++
			name := ""
			if named != nil {
				name = named[1]
			}
			t.names = append(t.names, name)
		}
	}
}

// namedGroup is what follows the parenthesis of one.
var namedGroup = regexp.MustCompile(`^\?<([\p{L}_$][\p{L}\p{Nd}_$]*)>`)

// quantifier is a repetition in braces.
var quantifier = regexp.MustCompile(`^\{(\d+)(,(\d*))?\}`)

// term reads one atom, assertion, quantifier or parenthesis.
func (t *translator) term() error {
	c := t.src[t.pos]
	switch c {
	case '^', '$', '|', ')':
		return t.edge(c)
	case '(':
		return t.group()
	case '*', '+', '?':
		t.pos++
		return t.repeat(string(c))
	case '{':
		return t.braces()
	case '.':
		t.pos++
		t.atom = true
		if t.dotAll {
			t.out.WriteString(`(?:[^a]|a)`)
		} else {
			t.out.WriteString(`[^` + lineEnds + `]`)
		}
		return nil
	case '[':
		return t.class()
	case '\\':
		return t.escape()
	}
	if (c == ']' || c == '}') && t.unicode {
		return fmt.Errorf("%q stands alone", c)
	}
	r, n := utf8.DecodeRuneInString(t.src[t.pos:])
	t.pos += n
	t.literal(r)
	return nil
}

// edge reads what matches no character and cannot be repeated.
func (t *translator) edge(c byte) error {
	t.pos++
	t.atom = false
	switch {
	case c == '|':
		t.out.WriteByte('|')
	case c == ')':
		if t.depth--; t.depth < 0 {
			return errors.New("a parenthesis is closed that was not opened")
		}
		t.out.WriteByte(')')
		t.atom = true
	case t.multiline:
		t.backtrack = true
		t.out.WriteString(map[byte]string{'^': `(?<![^` + lineEnds + `])`, '$': `(?![^` + lineEnds + `])`}[c])
	default:
		t.out.WriteString(map[byte]string{'^': `\A`, '$': `\z`}[c])
	}
	return nil
}

// groupsDepthMax is how deep groups may nest; RE2 itself allows some more.
const groupsDepthMax = 100

func (t *translator) group() error {
	if t.depth++; t.depth > groupsDepthMax {
		return fmt.Errorf("groups are nested more than %d deep", groupsDepthMax)
	}
	t.atom = false
	rest := t.src[t.pos+1:]
	for _, opener := range []string{"?:", "?=", "?!", "?<=", "?<!"} {
		if strings.HasPrefix(rest, opener) {
			t.backtrack = t.backtrack || opener != "?:"
			t.out.WriteString("(" + opener)
			t.pos += 1 + len(opener)
			return nil
		}
	}
	if named := namedGroup.FindString(rest); named != "" {
		t.pos += len(named)
	} else if strings.HasPrefix(rest, "?") {
		return errors.New(`"(?" starts a group of unknown kind`)
	}
	t.out.WriteByte('(')
	t.pos++
	return nil
}

func (t *translator) repeat(text string) error {
	if !t.atom {
		return errors.New("there is nothing to repeat")
	}
	t.atom = false
	t.out.WriteString(text)
	if strings.HasPrefix(t.src[t.pos:], "?") {
		t.pos++
		t.out.WriteByte('?')
	}
	return nil
}

// braces reads a quantifier, or a brace that is none.
func (t *translator) braces() error {
	m := quantifier.FindStringSubmatch(t.src[t.pos:])
	if m == nil {
		if t.unicode {
			return errors.New("a brace stands alone")
		}
		t.pos++
		t.literal('{')
		return nil
	}
	const most = 100_000
	low, errLow := strconv.Atoi(m[1])
	high := low
	var errHigh error
	if m[3] != "" {
		high, errHigh = strconv.Atoi(m[3])
	}
	switch {
	case errLow != nil || errHigh != nil || low > most || high > most:
		return fmt.Errorf("more than %d repetitions", most)
	case high < low:
		return errors.New("the numbers of a repetition are in the wrong order")
	}
	const re2Most = 1000
	t.backtrack = t.backtrack || high > re2Most
	t.pos += len(m[0])
	return t.repeat(m[0])
}

// literal writes a character outside of a class.
func (t *translator) literal(r rune) {
	t.atom = true
	lower := r | 0x20
	switch {
	case t.ignoreCase && lower >= 'a' && lower <= 'z':
		// Not (?i): that lets k match the Kelvin sign and s the long s.
		t.out.WriteString("[" + string(lower) + string(lower-0x20) + "]")
	case t.ignoreCase && r >= utf8.RuneSelf:
		t.out.WriteString("(?i:" + string(r) + ")")
	case r > 0xFFFF && t.units:
		t.out.WriteString("(?:" + splitPairs(string(r)) + ")")
	case r < utf8.RuneSelf:
		t.out.WriteString(quoteASCII(r))
	default:
		t.out.WriteRune(t.half(r))
	}
}

// half moves halves of surrogate pairs to where splitPairs puts them.
func (t *translator) half(r rune) rune {
	if r >= 0xD800 && r <= 0xDFFF {
		return pairBase + r
	}
	return r
}

// quoteASCII spells a character so that it means itself, in a class too.
func quoteASCII(r rune) string {
	if r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z' {
		return string(r)
	}
	return fmt.Sprintf(`\x%02x`, r)
}

// escape reads a backslash outside of a class.
func (t *translator) escape() error {
	if t.pos+1 >= len(t.src) {
		return errRegexEnd
	}
	c := t.src[t.pos+1]
	switch {
	case c == 'b' || c == 'B':
		t.pos += 2
		t.atom = false
		t.out.WriteString(`\` + string(c))
		return nil
	case c >= '1' && c <= '9' || c == 'k' && len(t.names) > 0 && strings.Join(t.names, "") != "":
		return t.backReference(c)
	}
	if set := classEscape(c); set != "" {
		t.pos += 2
		t.atom = true
		t.out.WriteString("[" + set + "]")
		return nil
	}
	r, err := t.charEscape()
	if err == nil {
		t.literal(r)
	}
	return err
}

// classEscape returns the inside of a class for \d and its like, or "".
func classEscape(c byte) string {
	switch c {
	case 'd':
		return `0-9`
	case 'D':
		return `\x00-/:-` + "\U0010ffff"
	case 'w':
		return `0-9A-Za-z_`
	case 'W':
		return `\x00-/:-@\[-\^` + "`{-\U0010ffff"
	case 's':
		return spaces
	case 'S':
		return notSpaces
	}
	return ""
}

func (t *translator) backReference(c byte) error {
	number := 0
	if c == 'k' {
		name, _, ok := strings.Cut(strings.TrimPrefix(t.src[t.pos+2:], "<"), ">")
		for i, known := range t.names {
			if known == name && known != "" {
				number = i + 1
			}
		}
		if !ok || number == 0 {
			return errors.New("a back-reference names no group")
		}
		t.pos += len(`\k<>`) + len(name)
	} else {
		digits := t.src[t.pos+1:]
		for i := range len(digits) {
			if !isDigit(digits[i]) {
				digits = digits[:i]
				break
			}
		}
		number, _ = strconv.Atoi(digits)
		if number > t.groups || len(digits) > 3 {
			return fmt.Errorf("back-reference \\%s to a group that is not there", digits)
		}
		t.pos += 1 + len(digits)
	}
	t.backtrack, t.atom = true, true
	if t.ignoreCase {
		fmt.Fprintf(&t.out, `(?i:\%d)`, number)
	} else {
		fmt.Fprintf(&t.out, `(?:\%d)`, number)
	}
	return nil
}

// charEscape reads a backslash that stands for one character.
func (t *translator) charEscape() (rune, error) {
	if t.pos+1 >= len(t.src) {
		return 0, errRegexEnd
	}
	rest := t.src[t.pos+1:]
	r, n := utf8.DecodeRuneInString(rest)
	t.pos += 1 + n
	switch {
	case simpleEscapes[rest[0]] != 0 && rest[0] != 'b':
		return simpleEscapes[rest[0]], nil
	case r == '0':
		if len(rest) > 1 && isDigit(rest[1]) {
			return 0, errors.New("octal escapes cannot be used")
		}
		return 0, nil
	case r == 'c' && len(rest) > 1 && rest[1]|0x20 >= 'a' && rest[1]|0x20 <= 'z':
		t.pos++
		return rune(rest[1] & 31), nil
	case r == 'x':
		return t.hex(rest[1:], 2, 'x')
	case r == 'u':
		return t.unicodeEscape(rest[1:])
	case (r == 'p' || r == 'P') && t.unicode:
		return 0, errors.New(`\p{…} cannot be used; write the characters out`)
	case r == 'c' || t.unicode && !strings.ContainsRune(`^$\.*+?()[]{}|/-`, r):
		return 0, fmt.Errorf("unknown escape \\%c", r)
	}
	return r, nil
}

func (t *translator) unicodeEscape(rest string) (rune, error) {
	if t.unicode && strings.HasPrefix(rest, "{") {
		digits, _, ok := strings.Cut(rest[1:], "}")
		n, err := strconv.ParseUint(digits, 16, 32)
		if !ok || err != nil || n > utf8.MaxRune {
			return 0, errors.New(`\u{…} needs a hexadecimal number up to 10FFFF`)
		}
		t.pos += len(digits) + 2
		return rune(n), nil
	}
	r, err := t.hex(rest, 4, 'u')
	if err == nil && t.unicode && r >= 0xD800 && r <= 0xDBFF && len(rest) >= 10 && rest[4:6] == `\u` {
		if low, err := strconv.ParseUint(rest[6:10], 16, 16); err == nil && low >= 0xDC00 && low <= 0xDFFF {
			t.pos += 6
			return 0x10000 + (r-0xD800)<<10 + rune(low) - 0xDC00, nil
		}
	}
	return r, err
}

// hex reads count digits, or takes the letter in front of them for itself, as JavaScript does.
func (t *translator) hex(rest string, count int, letter rune) (rune, error) {
	if len(rest) >= count {
		if n, err := strconv.ParseUint(rest[:count], 16, 32); err == nil && !strings.ContainsAny(rest[:count], "+-_") {
			t.pos += count
			return rune(n), nil
		}
	}
	if t.unicode {
		return 0, fmt.Errorf("\\%c needs %d hexadecimal digits", letter, count)
	}
	return letter, nil
}

// class reads a class in brackets.
func (t *translator) class() error {
	t.pos++
	t.atom = true
	negated := strings.HasPrefix(t.src[t.pos:], "^")
	if negated {
		t.pos++
	}
	var set strings.Builder
	for {
		if t.pos >= len(t.src) {
			return errors.New("a class is not closed")
		}
		if t.src[t.pos] == ']' {
			t.pos++
			break
		}
		if err := t.classItem(&set); err != nil {
			return err
		}
	}
	inside := set.String()
	switch {
	case inside == "" && negated:
		t.out.WriteString(`(?:[^a]|a)`)
	case inside == "":
		t.out.WriteString(`[^\x00-` + "\U0010ffff]")
	case negated:
		t.wrapFold(`[^`+inside+`]`, inside)
	default:
		t.wrapFold(`[`+inside+`]`, inside)
	}
	return nil
}

// wrapFold writes a class. ASCII letters in it are there in both cases; others need (?i).
func (t *translator) wrapFold(class, inside string) {
	if t.ignoreCase && !isASCII(inside) && !strings.Contains(inside, "\ufeff") && !strings.Contains(inside, "\U0010ffff") {
		class = "(?i:" + class + ")"
	}
	t.out.WriteString(class)
}

// classItem reads a character, a range or an escape like \d.
func (t *translator) classItem(set *strings.Builder) error {
	from, escaped, err := t.classAtom()
	if err != nil {
		return err
	}
	rest := t.src[t.pos:]
	if escaped != "" || len(rest) < 2 || rest[0] != '-' || rest[1] == ']' {
		set.WriteString(escaped)
		if escaped == "" {
			t.addRange(set, from, from)
		}
		return nil
	}
	t.pos++
	to, escaped, err := t.classAtom()
	switch {
	case err != nil:
		return err
	case escaped != "": // [a-\d] is a, - and digits
		t.addRange(set, from, from)
		set.WriteString(`\x2d` + escaped)
		return nil
	case to < from:
		return errors.New("the ends of a range are in the wrong order")
	}
	t.addRange(set, from, to)
	return nil
}

// classAtom reads one character, or the set that an escape stands for.
func (t *translator) classAtom() (r rune, escaped string, err error) {
	if t.src[t.pos] != '\\' {
		r, n := utf8.DecodeRuneInString(t.src[t.pos:])
		t.pos += n
		return r, "", nil
	}
	if t.pos+1 >= len(t.src) {
		return 0, "", errRegexEnd
	}
	c := t.src[t.pos+1]
	if set := classEscape(c); set != "" {
		t.pos += 2
		return 0, set, nil
	}
	if c == 'b' {
		t.pos += 2
		return '\b', "", nil
	}
	if c >= '1' && c <= '9' {
		return 0, "", errors.New("octal escapes cannot be used")
	}
	r, err = t.charEscape()
	return r, "", err
}

// addRange adds the characters from from to to, and with flag i ASCII letters in their other case.
func (t *translator) addRange(set *strings.Builder, from, to rune) {
	if t.units && to > 0xFFFF {
		if from == to { // both halves, one by one
			set.WriteString(splitPairs(string(from)))
		}
		to = min(to, 0xFFFF)
		if from > to {
			return
		}
	}
	t.writeRange(set, from, to)
	if t.units && to >= 0xD800 && from <= 0xDFFF {
		t.writeRange(set, pairBase+max(from, 0xD800), pairBase+min(to, 0xDFFF))
	}
	if t.ignoreCase {
		t.addShifted(set, from, to, 'a', 'z', 'A'-'a')
		t.addShifted(set, from, to, 'A', 'Z', 'a'-'A')
	}
}

// addShifted adds what from to to has in common with low to high, by elsewhere.
func (t *translator) addShifted(set *strings.Builder, from, to, low, high, by rune) {
	if from, to = max(from, low), min(to, high); from <= to {
		t.writeRange(set, from+by, to+by)
	}
}

func (t *translator) writeRange(set *strings.Builder, from, to rune) {
	// Halves of surrogate pairs are no characters: addRange puts them elsewhere.
	if from >= 0xD800 && from <= 0xDFFF {
		from = 0xE000
	}
	if to >= 0xD800 && to <= 0xDFFF {
		to = 0xD7FF
	}
	if from > to {
		return
	}
	quote := func(r rune) string {
		if r < utf8.RuneSelf {
			return quoteASCII(r)
		}
		return string(r)
	}
	set.WriteString(quote(from))
	if to > from {
		set.WriteString("-" + quote(to))
	}
}
