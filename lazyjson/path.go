package lazyjson

import (
	"bytes"
	"math"
	"math/big"
	"strconv"
	"unicode/utf8"
)

const (
	// PathBytesMax is the longest path, in bytes as sent.
	PathBytesMax = 4096
	// SegmentsMax is the largest number of segments of a path, and so of containers one patch creates.
	SegmentsMax = 128
)

// Path is a checked path: a view of the bytes it was parsed from, valid while they are unchanged. The
// zero value names nothing. The segments are cut anew at each use, which is cheaper than a place to
// keep them.
type Path struct {
	text     []byte
	segments int
}

// ParsePath checks text by the grammar in the package documentation. It returns one of the ErrPath
// errors for a path that has to be refused. 0 allocs. Source: the json-path module of the official
// server and client.
func ParsePath(text []byte) (Path, error) {
	if len(text) > PathBytesMax {
		return Path{}, ErrPathTooLong
	}
	if !utf8.Valid(text) {
		return Path{}, ErrPathEncoding
	}
	p := Path{text: text, segments: SegmentsMax + 1}
	c := p.cursor()
	for n := range p.segments {
		key, number, ok := c.cut(text)
		if !ok {
			p.segments = n
			break
		}
		if !number && forbidden(key) {
			return Path{}, ErrPathForbidden
		}
	}
	switch {
	case p.segments == 0:
		return Path{}, ErrPathEmpty
	case p.segments > SegmentsMax:
		return Path{}, ErrPathTooLong
	}
	return p, nil
}

// forbidden reports whether key would reach the prototype of an object in a JavaScript client.
func forbidden(key []byte) bool {
	switch string(key) {
	case "__proto__", "prototype", "constructor":
		return true
	}
	return false
}

// segment is one step of a path: the text by which containers are asked, and what it creates.
type segment struct {
	key    []byte
	number bool // creates an array, not an object
}

// cursor is a place in a path, from which its segments are cut one by one. It holds no slices: whoever
// copies it keeps nothing alive, and the text stays on its owner's stack.
type cursor struct {
	at, end int // what is left of the current part, behind its key
	parts   int // where the parts behind it begin
	left    int // segments not yet yielded
}

// numberBytesMax is room for every number as JavaScript spells it.
const numberBytesMax = 32

func (p Path) cursor() cursor { return cursor{left: p.segments} }

// done reports whether the last segment was yielded.
func (c *cursor) done() bool { return c.left == 0 }

// next returns the next segment of text; there must be one. Its key is a view of text, or lies in
// scratch.
func (c *cursor) next(text []byte, scratch *[numberBytesMax]byte) segment {
	key, number, _ := c.cut(text)
	c.left--
	if number {
		key = appendNumberKey(scratch[:0], key)
	}
	return segment{key, number}
}

// cut returns the text of the next segment and whether it stood in brackets, or false at the end.
func (c *cursor) cut(text []byte) (cut []byte, number, ok bool) {
	for c.at < c.end {
		if cut = c.cutBracket(text); len(cut) > 0 {
			return cut, true, true
		}
	}
	for c.parts < len(text) {
		part := text[c.parts:]
		if dot := bytes.IndexByte(part, '.'); dot >= 0 {
			part = part[:dot]
		}
		from, to := trim(part)
		c.at, c.end, c.parts = c.parts+from, c.parts+to, c.parts+len(part)+1
		if from < to {
			return c.cutBracket(text), false, true
		}
	}
	return nil, false, false
}

// cutBracket takes what is before the next bracket of either kind, and that, from the current part.
func (c *cursor) cutBracket(text []byte) []byte {
	start, i := c.at, c.at
	for i < c.end && text[i] != '[' && text[i] != ']' {
		i++
	}
	c.at = i + 1
	return text[start:i]
}

// trim returns the bounds of b without JavaScript's white space at both ends.
func trim(b []byte) (from, to int) {
	if len(b) == 0 || plainByte(b[0]) && plainByte(b[len(b)-1]) {
		return 0, len(b)
	}
	right := bytes.TrimRightFunc(b, jsSpace)
	return len(right) - len(bytes.TrimLeftFunc(right, jsSpace)), len(right)
}

// plainByte reports whether c neither is white space nor belongs to a longer character.
func plainByte(c byte) bool { return c > ' ' && c < utf8.RuneSelf }

// jsSpace reports whether r is white space or a line end. ECMAScript §12.2 and §12.3: unlike Go's
// notion it has the byte order mark and lacks U+0085.
func jsSpace(r rune) bool {
	switch r {
	case '\t', '\n', '\v', '\f', '\r', ' ', 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF:
		return true
	}
	return r >= 0x2000 && r <= 0x200A
}

// appendNumberKey appends the property key that JavaScript makes of Number(text). Digits as programs
// write them are their own key and are returned as they are, without a copy.
func appendNumberKey(dst, text []byte) []byte {
	if _, ok := arrayIndex(text); ok {
		return text
	}
	from, to := trim(text)
	f := jsNumber(text[from:to])
	switch size := math.Abs(f); {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 0):
		return append(dst, infinity(f)...)
	case f == 0:
		return append(dst, '0') // minus zero as well
	case size >= 1e-6 && size < 1e21:
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	return unpadExponent(strconv.AppendFloat(dst, f, 'e', -1, 64))
}

func infinity(f float64) string {
	if f < 0 {
		return "-Infinity"
	}
	return "Infinity"
}

// unpadExponent turns the e-07 of Go into the e-7 of JavaScript.
func unpadExponent(b []byte) []byte {
	if n := len(b); n >= 4 && b[n-4] == 'e' && b[n-2] == '0' {
		b[n-2] = b[n-1]
		return b[:n-1]
	}
	return b
}

// jsNumber converts trimmed text as JavaScript's Number() does. ECMAScript §7.1.4.1; there is no
// fraction, since a path is split at its dots first.
func jsNumber(text []byte) float64 {
	if len(text) == 0 {
		return 0
	}
	if len(text) > 2 && text[0] == '0' {
		if base := radix(text[1]); base != 0 {
			return jsInteger(text[2:], base)
		}
	}
	digits := bytes.TrimPrefix(text, []byte("-"))
	if len(digits) == len(text) {
		digits = bytes.TrimPrefix(text, []byte("+"))
	}
	// Go knows more spellings than JavaScript does; only decimal numbers may reach it.
	if string(digits) != "Infinity" && !decimal(digits) {
		return math.NaN()
	}
	f, _ := strconv.ParseFloat(string(text), 64) // out of range is an infinity here and there
	return f
}

// decimal reports whether b is digits and perhaps an exponent.
func decimal(b []byte) bool {
	i := skipDigits(b, 0)
	if i > 0 && i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		i = skipDigits(b, i)
	}
	return i == len(b)
}

// radix returns the base that 0 and letter announce, or 0.
func radix(letter byte) int {
	switch letter | 0x20 {
	case 'x':
		return 16
	case 'o':
		return 8
	case 'b':
		return 2
	}
	return 0
}

func jsInteger(digits []byte, base int) float64 {
	for _, c := range digits {
		if c == '_' || c == '+' || c == '-' {
			return math.NaN()
		}
	}
	n, ok := new(big.Int).SetString(string(digits), base)
	if !ok {
		return math.NaN()
	}
	f, _ := new(big.Float).SetInt(n).Float64()
	return f
}

// arrayIndexEnd is the first number that is a property of a JavaScript array, but not an index.
const arrayIndexEnd = 1<<32 - 1

// arrayIndex returns the index that key is the canonical text of.
func arrayIndex(key []byte) (index int64, ok bool) {
	if len(key) == 0 || len(key) > len("4294967294") || key[0] == '0' && len(key) > 1 {
		return 0, false
	}
	for _, c := range key {
		if c-'0' > 9 {
			return 0, false
		}
		index = index*10 + int64(c-'0')
	}
	return index, index < arrayIndexEnd
}
