package listen

import (
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// A regular expression without flags sees a name as UTF-16 code units: "." matches half of an emoji.
// RE2 sees runes. We let it see units by writing each half of a character beyond U+FFFF as a rune of
// its own, from a range that cannot occur otherwise once all such characters are split. Names without
// such characters, nearly all, are their own unit form.
const (
	surrogateFirst = 0xD800
	surrogateLast  = 0xDFFF
	surrogateShift = 0x10F000 - surrogateFirst
)

// unitRune returns the rune that stands for a UTF-16 code unit in unit form.
func unitRune(u uint16) rune {
	if u >= surrogateFirst && u <= surrogateLast {
		return rune(u) + surrogateShift
	}
	return rune(u)
}

// unitForm returns name in unit form: name itself, or a copy that overwrites scratch. The second
// result is scratch, possibly grown, to be used again.
func unitForm(scratch, name []byte) (units, grown []byte) {
	if !slices.ContainsFunc(name, func(c byte) bool { return c >= 0xF0 }) {
		return name, scratch
	}
	out := scratch[:0]
	for len(name) > 0 {
		r, size := utf8.DecodeRune(name)
		if r > 0xFFFF {
			high, low := utf16.EncodeRune(r)
			out = utf8.AppendRune(out, high+surrogateShift)
			out = utf8.AppendRune(out, low+surrogateShift)
		} else {
			out = append(out, name[:size]...)
		}
		name = name[size:]
	}
	return out, out
}

// unitRange is an inclusive range of code units; a unitSet is any list of them.
type unitRange struct{ first, last uint16 }

type unitSet []unitRange

// The sets JavaScript calls \d, \w, \s and the line terminators "." leaves out, each sorted.
var (
	digits      = unitSet{{'0', '9'}}
	wordUnits   = unitSet{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}
	terminators = unitSet{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}
	whitespace  = unitSet{
		{'\t', '\r'}, {' ', ' '}, {0xA0, 0xA0}, {0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029},
		{0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF},
	}
)

// complement returns the units that the sorted set s lacks.
func (s unitSet) complement() unitSet {
	var out unitSet
	next := 0
	for _, r := range s {
		if int(r.first) > next {
			out = append(out, unitRange{uint16(next), r.first - 1})
		}
		next = int(r.last) + 1
	}
	if next <= 0xFFFF {
		out = append(out, unitRange{uint16(next), 0xFFFF})
	}
	return out
}

// classOf returns the set an escape such as \d stands for, or nil.
func classOf(escape uint16) unitSet {
	switch escape {
	case 'd':
		return digits
	case 'D':
		return digits.complement()
	case 'w':
		return wordUnits
	case 'W':
		return wordUnits.complement()
	case 's':
		return whitespace
	case 'S':
		return whitespace.complement()
	}
	return nil
}
