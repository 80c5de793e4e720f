package lazyjson

import (
	"bytes"
	"unicode/utf8"

	"deepstream-fast/internal/ecma"
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

func (p Path) cursor() cursor { return cursor{left: p.segments} }

// done reports whether the last segment was yielded.
func (c *cursor) done() bool { return c.left == 0 }

// next returns the next segment of text; there must be one. Its key is a view of text, or lies in
// scratch.
func (c *cursor) next(text []byte, scratch *[ecma.NumberBytesMax]byte) segment {
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
	right := bytes.TrimRightFunc(b, ecma.IsSpace)
	return len(right) - len(bytes.TrimLeftFunc(right, ecma.IsSpace)), len(right)
}

// plainByte reports whether c neither is white space nor belongs to a longer character.
func plainByte(c byte) bool { return c > ' ' && c < utf8.RuneSelf }

// appendNumberKey appends the property key that JavaScript makes of Number(text). Digits as programs
// write them are their own key and are returned as they are, without a copy.
func appendNumberKey(dst, text []byte) []byte {
	if _, ok := ecma.ArrayIndex(text); ok {
		return text
	}
	return ecma.AppendNumber(dst, ecma.Number(string(text)))
}
