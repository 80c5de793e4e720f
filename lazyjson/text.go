package lazyjson

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// The functions in this file turn what strings say into how they are spelled, and back.

// AppendUnescaped appends what spelled, the inside of a JSON string, says, and returns the extended slice.
// Half a surrogate pair, which UTF-8 cannot express, becomes U+FFFD; exact reports that there was none. In
// malformed text it finds nonsense; of JSON, the outcome is not longer than spelled.
func AppendUnescaped(dst, spelled []byte) (text []byte, exact bool) {
	exact = true
	for {
		plain := bytes.IndexByte(spelled, '\\')
		if plain < 0 {
			return append(dst, spelled...), exact
		}
		dst = append(dst, spelled[:plain]...)
		r, next := unescape(spelled, plain)
		if r < 0 {
			r, exact = utf8.RuneError, false
		}
		dst, spelled = utf8.AppendRune(dst, r), spelled[min(next, len(spelled)):]
	}
}

// unescape returns the character whose escape starts with the backslash at i, and the index behind
// it. It returns -1 for half a surrogate pair, which UTF-8 cannot express.
func unescape(b []byte, i int) (r rune, next int) {
	if i+1 >= len(b) {
		return -1, len(b)
	}
	switch c := b[i+1]; c {
	case 'u':
		r, i = codeUnit(b, i), i+6
		if utf16.IsSurrogate(r) {
			if r = utf16.DecodeRune(r, codeUnit(b, i)); r == utf8.RuneError {
				return -1, i
			}
			i += 6
		}
		return r, i
	case 'b':
		r = '\b'
	case 'f':
		r = '\f'
	case 'n':
		r = '\n'
	case 'r':
		r = '\r'
	case 't':
		r = '\t'
	default:
		r = rune(c)
	}
	return r, i + 2
}

// codeUnit returns the number in the \u escape at i, or -1 if there is none.
func codeUnit(b []byte, i int) rune {
	if len(b)-i < 6 || b[i] != '\\' || b[i+1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range b[i+2 : i+6] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case class[c]&hex != 0:
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// appendQuoted appends key as a JSON string, spelled as JSON.stringify spells it.
func appendQuoted(dst, key []byte) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for len(key) > 0 {
		n := skipPlain(key, 0)
		dst, key = append(dst, key[:n]...), key[n:]
		if len(key) == 0 {
			break
		}
		switch c := key[0]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
		key = key[1:]
	}
	return append(dst, '"')
}
