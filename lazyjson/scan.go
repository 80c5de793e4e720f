package lazyjson

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// The functions in this file trust their text to be JSON, which makes them faster than Valid. In
// malformed text they find nonsense or give up, within its bounds.

// item is a member of an object or an element of an array.
type item struct {
	key      []byte // between its quotes, as spelled; nil in an array
	from, to int    // the value
	sep      int    // the comma or closer behind it
}

// scanItem returns the item that starts at or behind i in a container of the kind that opener says.
func scanItem(b []byte, i int, opener byte) (it item, ok bool) {
	it.key, it.from = scanKey(b, i, opener)
	if it.to = skipValue(b, it.from); it.to <= it.from {
		return it, false
	}
	it.sep = skipSpace(b, it.to)
	return it, it.sep < len(b) && (b[it.sep] == ',' || b[it.sep] == opener+2)
}

// scanKey returns the key of the item that starts at or behind i, and where its value begins, which is
// len(b) if the text is malformed.
func scanKey(b []byte, i int, opener byte) (key []byte, value int) {
	i = skipSpace(b, i)
	if opener == '[' {
		return nil, i
	}
	if i >= len(b) || b[i] != '"' {
		return nil, len(b)
	}
	end := skipKey(b, i+1)
	if end < 0 {
		return nil, len(b)
	}
	key = b[i+1 : end-1]
	if i = skipSpace(b, end); i >= len(b) || b[i] != ':' {
		return nil, len(b)
	}
	return key, skipSpace(b, i+1)
}

// empty reports whether the container opened at open holds nothing.
func empty(b []byte, open int) bool {
	i := skipSpace(b, open+1)
	return i < len(b) && b[i] == b[open]+2
}

// isOpener reports whether c opens a container.
func isOpener(c byte) bool { return c == '{' || c == '[' }

// skipValue returns the index behind the value at i, or a number not above i.
func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch c := b[i]; {
	case c == '"':
		return skipText(b, i+1)
	case isOpener(c):
		return skipRest(b, i+1)
	}
	for i < len(b) && b[i] > ' ' && b[i] != ',' && b[i] != '}' && b[i] != ']' {
		i++
	}
	return i
}

// skipRest returns the index behind the closer of the container that i is in, or a negative number. It
// takes eight bytes at once, wherever in them tokens begin and end, but for escapes and for the end.
func skipRest(b []byte, i int) int {
	s, c := b[i:], climb{depth: 1}
	for len(s) > 8 {
		n := 8
		if !c.word(binary.LittleEndian.Uint64(s)) {
			if n = c.bytes(s, 8); c.depth == 0 {
				return len(b) - len(s) + n
			}
		}
		s = s[min(n, len(s)):]
	}
	if n := c.bytes(s, len(s)); c.depth == 0 {
		return len(b) - len(s) + n
	}
	return -1
}

// climb is a way out of nested containers.
type climb struct {
	depth  int    // of the containers still open
	quoted uint64 // all marks inside a string, none outside
}

// word takes the eight bytes of w, or reports that it cannot: there is an escape, or perhaps the end.
func (c *climb) word(w uint64) bool {
	quoted := equal(w, '"')
	quoted ^= quoted << 8
	quoted ^= quoted << 16
	quoted ^= quoted<<32 ^ c.quoted // whether the quotes up to each byte leave it in a string
	brace := w | 0x20*low           // brackets are braces without this bit
	opened, closed := marks(equal(brace, '{')&^quoted), marks(equal(brace, '}')&^quoted)
	if closed >= c.depth || equal(w, '\\') != 0 {
		return false
	}
	c.depth += opened - closed
	c.quoted = uint64(int64(quoted)>>63) & high
	return true
}

// bytes takes n bytes of s and, if the last one is a backslash, what that escapes; or fewer, up to the end.
// It returns how many.
func (c *climb) bytes(s []byte, n int) int {
	i := 0
	for ; i < n; i++ {
		switch ch := s[i]; {
		case ch == '"':
			c.quoted ^= high
		case c.quoted != 0:
			if ch == '\\' {
				i++
			}
		case ch|0x20 == '{':
			c.depth++
		case ch|0x20 == '}':
			if c.depth--; c.depth == 0 {
				return i + 1
			}
		}
	}
	return i
}

// equal marks the bytes of w that are c with their top bit.
func equal(w uint64, c byte) uint64 {
	w ^= uint64(c) * low
	return ^(w&^high + ^uint64(high) | w) & high
}

// marks counts the marked bytes of w.
func marks(w uint64) int { return int(w >> 7 * low >> 56) }

// skipText is skipString for text that is known to be JSON.
func skipText(b []byte, i int) int {
	s := b[i:]
	for len(s) > 8 {
		w := binary.LittleEndian.Uint64(s)
		hit := ((w ^ '"'*low - low) | (w ^ '\\'*low - low)) &^ w & high // as in stops
		if hit == 0 {
			s = s[8:]
			continue
		}
		n := bits.TrailingZeros64(hit) >> 3
		if s[n] == '"' {
			return len(b) - len(s) + n + 1
		}
		s = s[min(n+2, len(s)):]
	}
	return skipStringTail(b, len(b)-len(s))
}

// deeper reports whether containers nest more than limit deep in b.
func deeper(b []byte, limit int) bool {
	if len(b)/2 <= limit {
		return false // each level takes an opener and a closer
	}
	for depth, i := 0, 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			if i = skipString(b, i+1); i < 0 {
				return false
			}
			i--
		case '{', '[':
			if depth++; depth > limit {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

// sameKey reports whether the spelled key of a member says key.
func sameKey(spelled, key []byte) bool {
	if len(spelled) <= len(key) {
		// An escape is longer than what it stands for, so equal length means no escapes.
		return string(spelled) == string(key) && bytes.IndexByte(key, '\\') < 0
	}
	// Most keys differ before the first escape.
	for i, c := range key {
		if spelled[i] != c || c == '\\' {
			return spelled[i] == '\\' && sameEscapedKey(spelled, key)
		}
	}
	return spelled[len(key)] == '\\' && sameEscapedKey(spelled, key)
}

func sameEscapedKey(spelled, key []byte) bool {
	var char [utf8.UTFMax]byte
	for i := 0; i < len(spelled); {
		said := spelled[i : i+1]
		if spelled[i] != '\\' {
			i++
		} else {
			r, next := unescape(spelled, i)
			if r < 0 {
				return false
			}
			said, i = utf8.AppendRune(char[:0], r), next
		}
		if !bytes.HasPrefix(key, said) {
			return false
		}
		key = key[len(said):]
	}
	return len(key) == 0
}
