package presence

import "unicode/utf8"

// Memory an answer keeps for the next one.
const (
	keptBytesMax = 64 << 10
	keptNamesMax = 1024
)

// answer builds the JSON object userId → online of one QUERY. The zero value is ready; it is reused
// and allocates nothing while queries stay small.
type answer struct {
	buf  []byte
	seen map[string]struct{} // views of the names, valid from begin to release
}

func (a *answer) begin() {
	if a.seen == nil {
		a.seen = map[string]struct{}{}
	}
	a.buf = append(a.buf[:0], '{')
}

// add appends a member unless the name has one already. name must stay as it is until release.
func (a *answer) add(name []byte, online bool) {
	known := len(a.seen)
	if a.seen[view(name)] = struct{}{}; len(a.seen) == known {
		return
	}
	if known > 0 {
		a.buf = append(a.buf, ',')
	}
	a.buf = appendString(a.buf, name)
	if online {
		a.buf = append(a.buf, ":true"...)
	} else {
		a.buf = append(a.buf, ":false"...)
	}
}

// end returns the finished object, valid until release.
func (a *answer) end() []byte {
	a.buf = append(a.buf, '}')
	return a.buf
}

func (a *answer) release() {
	if len(a.seen) > keptNamesMax {
		a.seen = nil
	}
	clear(a.seen)
	if cap(a.buf) > keptBytesMax {
		a.buf = nil
	}
}

// appendString appends s as a JSON string and returns the extended slice. Bytes that are not UTF-8
// become U+FFFD, one each. RFC 8259 §7.
func appendString(dst, s []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0 // start of the bytes that need no escape
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"', c == '\\':
			dst = append(append(dst, s[from:i]...), '\\', c)
		case c < ' ':
			dst = append(append(dst, s[from:i]...), '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c < utf8.RuneSelf:
			i++
			continue
		default:
			r, size := utf8.DecodeRune(s[i:])
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			dst = append(append(dst, s[from:i]...), "\uFFFD"...)
		}
		i++
		from = i
	}
	return append(append(dst, s[from:]...), '"')
}
