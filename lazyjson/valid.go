package lazyjson

import (
	"encoding/binary"
	"math/bits"
)

// DepthMax is how deep arrays and objects may nest in each other. It bounds the stack of Valid, one
// bit for each level.
const DepthMax = 1024

// Valid reports whether b is exactly one JSON text, white space around it included, nested at most
// DepthMax deep. Source: RFC 8259.
// Hot path: 0 allocs, see BenchmarkValid.
func Valid(b []byte) bool {
	i := checkValue(b, 0, DepthMax)
	return i >= 0 && skipSpace(b, i) == len(b)
}

// checkValue returns the index behind the value at or behind i, or a negative number if that is malformed
// or nested more than limit deep, which is DepthMax at most.
func checkValue(b []byte, i, limit int) int {
	var (
		open  nesting
		depth int
	)
value:
	if i = skipSpace(b, i); i >= len(b) {
		return -1
	}
	switch c := b[i]; {
	case c == '"':
		i = skipString(b, i+1)
	case c-'0' <= 9 || c == '-':
		i = skipNumber(b, i)
	case c == '{' || c == '[':
		if depth == limit {
			return -1
		}
		open.push(depth, c == '{')
		depth++
		if i = skipSpace(b, i+1); i >= len(b) {
			return -1
		}
		if b[i] == c+2 { // '}' and ']' follow their openers at the same distance
			goto closed
		}
		if c == '{' {
			goto key
		}
		goto value
	default:
		i = skipWord(b, i)
	}
	if i < 0 {
		return -1
	}
next:
	if depth == 0 {
		return i
	}
	if i = skipSpace(b, i); i >= len(b) {
		return -1
	}
	if b[i] == ',' {
		if i++; !open.object() {
			goto value
		}
		i = skipSpace(b, i)
		goto key
	}
	if b[i] != open.closer() {
		return -1
	}
closed:
	i++
	depth--
	open.pop(depth)
	goto next
key:
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	if i = skipKey(b, i+1); i < 0 {
		return -1
	}
	if i = skipSpace(b, i); i >= len(b) || b[i] != ':' {
		return -1
	}
	i++
	goto value
}

// nesting remembers which of the open containers are objects. The innermost 1 to 64 are bits of one
// word, the latest lowest, so that ordinary documents touch nothing else.
type nesting struct {
	inner uint64
	outer [DepthMax / 64]uint64
}

// push opens a container inside depth others.
func (n *nesting) push(depth int, object bool) {
	if depth&63 == 0 {
		n.outer[depth>>6&(len(n.outer)-1)] = n.inner
	}
	n.inner <<= 1
	if object {
		n.inner |= 1
	}
}

// pop closes the container inside depth others.
func (n *nesting) pop(depth int) {
	n.inner >>= 1
	if depth&63 == 0 {
		n.inner = n.outer[depth>>6&(len(n.outer)-1)]
	}
}

// object reports whether the innermost container is one.
func (n *nesting) object() bool { return n.inner&1 != 0 }

// closer returns what closes the innermost container.
func (n *nesting) closer() byte { return ']' + byte(n.inner&1)*('}'-']') }

// skipSpace returns the index of the first byte at or behind i that is no white space. The text our
// clients write has none, so the first comparison is the one that counts.
func skipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && class[b[i]]&space != 0 {
		i++
	}
	return i
}

// skipTo returns the index of c if that is the first byte at or behind i that is no white space, or a
// negative number. Mostly c is at i.
func skipTo(b []byte, i int, c byte) int {
	if i < len(b) && b[i] == c {
		return i
	}
	if i = skipSpace(b, i); i < len(b) && b[i] == c {
		return i
	}
	return -1
}

const (
	low  = 0x0101010101010101
	high = 0x8080808080808080
)

// skipString returns the index behind the closing quote of the string whose text starts at i, or a
// negative number. It looks at eight bytes at once, and in long texts at what plain does.
func skipString(b []byte, i int) int {
	for s := b[i:]; ; s = s[plain(s):] {
		for near := max(8, len(s)-longText); len(s) > near; {
			hit := stops(binary.LittleEndian.Uint64(s))
			if hit == 0 {
				s = s[8:]
				continue
			}
			n := bits.TrailingZeros64(hit) >> 3
			switch s[n] {
			case '"':
				return len(b) - len(s) + n + 1
			case '\\':
				if n = skipEscape(s, n+1); n < 0 {
					return -1
				}
				s = s[n:]
			default:
				return -1
			}
		}
		if len(s) <= 8 {
			return skipStringTail(b, len(b)-len(s))
		}
	}
}

// longText is after how many bytes the call of plain pays.
const longText = 64

// skipKey is skipString for keys, which are short, and similar in what one program writes: branches that
// are predicted right beat the latency of looking at eight bytes at once.
func skipKey(b []byte, i int) int {
	if i = skipShort(b, i); i < len(b) && b[i] == '"' {
		return i + 1
	}
	return skipString(b, i)
}

// skipShort is skipPlain byte by byte, and small enough to be part of its callers.
func skipShort(b []byte, i int) int {
	for i < len(b) && class[b[i]]&special == 0 {
		i++
	}
	return i
}

// skipStringTail is skipString for the last bytes of b.
func skipStringTail(b []byte, i int) int {
	for i < len(b) {
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			if i = skipEscape(b, i+1); i < 0 {
				return -1
			}
		case c < ' ':
			return -1
		default:
			i++
		}
	}
	return -1
}

// stops marks the bytes of w that end the plain part of a string, controls, quotes and backslashes, with
// their top bit. Above the lowest mark there may be false ones; the lowest is always real.
func stops(w uint64) uint64 {
	// Flipping 0x02 brings the quote down to 0x20 and lifts space and exclamation mark above it, so that one
	// comparison finds quotes and controls. In a byte under 0x80 each difference borrows into the top bit.
	return ((w ^ 0x02*low - 0x21*low) | (w ^ '\\'*low - low)) &^ w & high
}

// skipPlain returns the index of the first quote, backslash or control at or behind i, or len(b).
func skipPlain(b []byte, i int) int {
	for len(b)-i >= 8 {
		if hit := stops(binary.LittleEndian.Uint64(b[i:])); hit != 0 {
			return i + bits.TrailingZeros64(hit)>>3
		}
		i += 8
	}
	for i < len(b) && class[b[i]]&special == 0 {
		i++
	}
	return i
}

// skipEscape returns the index behind the escape whose letter is at i, or a negative number.
func skipEscape(b []byte, i int) int {
	if i >= len(b) || class[b[i]]&escape == 0 {
		return -1
	}
	if b[i] != 'u' {
		return i + 1
	}
	if len(b)-i < 5 || class[b[i+1]]&class[b[i+2]]&class[b[i+3]]&class[b[i+4]]&hex == 0 {
		return -1
	}
	return i + 5
}

// skipNumber returns the index behind the number at i, or a negative number.
func skipNumber(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	whole := i
	if i = skipDigits(b, i); i > whole+1 && b[whole] == '0' {
		return -1
	}
	if i >= 0 && i < len(b) && b[i] == '.' {
		i = skipDigits(b, i+1)
	}
	if i >= 0 && i < len(b) && b[i]|0x20 == 'e' {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		i = skipDigits(b, i)
	}
	return i
}

// skipDigits returns the index behind one or more digits at i, or a negative number.
func skipDigits(b []byte, i int) int {
	start := i
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// skipWord returns the index behind the true, false or null at i, or a negative number.
func skipWord(b []byte, i int) int {
	switch rest := b[i:]; {
	case len(rest) >= 4 && (string(rest[:4]) == "true" || string(rest[:4]) == "null"):
		return i + 4
	case len(rest) >= 5 && string(rest[:5]) == "false":
		return i + 5
	}
	return -1
}

// What a byte may be, as bits of class.
const (
	space   = 1 << iota // white space between tokens
	special             // ends the plain part of a string
	escape              // may follow a backslash
	hex                 // hexadecimal digit
)

var class = func() (t [256]uint8) {
	mark := func(chars string, bit uint8) {
		for i := range len(chars) {
			t[chars[i]] |= bit
		}
	}
	for c := range ' ' {
		t[c] = special
	}
	mark(" \t\r\n", space)
	mark(`"\`, special)
	mark(`"\/bfnrtu`, escape)
	mark("0123456789abcdefABCDEF", hex)
	return t
}()
