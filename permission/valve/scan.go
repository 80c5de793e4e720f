package valve

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"deepstream-fast/lazyjson"
)

// The functions in this file look values up in JSON text without decoding what lies around them. They
// trust it to be valid, which makes them simple; in malformed text they find nonsense or give up within
// its bounds. None recurses.

// fromJSON returns the value that raw, without space around it, stands for. Only strings with escapes
// are copied.
func fromJSON(raw string) value {
	if raw == "" {
		return value{}
	}
	switch raw[0] {
	case '{':
		return value{kind: kindJSONObject, text: raw}
	case '[':
		return value{kind: kindJSONArray, text: raw}
	case '"':
		return textValue(unquoteJSON(raw))
	case 't':
		return boolValue(true)
	case 'f':
		return boolValue(false)
	case 'n':
		return value{kind: kindNull}
	}
	return numberValue(jsonNumber(raw))
}

// jsonNumber reads short integers by itself, which is what most numbers are.
func jsonNumber(raw string) float64 {
	if len(raw) <= 9 {
		n, plain := 0, true
		for i := range len(raw) {
			c := raw[i] - '0'
			plain = plain && c <= 9
			n = n*10 + int(c)
		}
		if plain {
			return float64(n)
		}
	}
	n, _ := strconv.ParseFloat(raw, 64) // out of range is an infinity, as in JavaScript
	return n
}

// unquoteJSON returns what the quoted text says: a view of it, if there are no escapes. Half a surrogate
// pair becomes U+FFFD.
func unquoteJSON(raw string) string {
	inner := raw[1:max(len(raw)-1, 1)]
	if strings.IndexByte(inner, '\\') < 0 {
		return inner
	}
	var b strings.Builder
	b.Grow(len(inner))
	for i := 0; i < len(inner); {
		end := strings.IndexByte(inner[i:], '\\')
		if end < 0 {
			b.WriteString(inner[i:])
			break
		}
		b.WriteString(inner[i : i+end])
		r, next := unescapeJSON(inner, i+end)
		b.WriteRune(r)
		i = next
	}
	return b.String()
}

// unescapeJSON returns the character whose escape starts at s[i], and the index behind it.
func unescapeJSON(s string, i int) (r rune, next int) {
	if i+1 >= len(s) {
		return utf8.RuneError, len(s)
	}
	switch c := s[i+1]; c {
	case 'u':
		r, next = codeUnit(s, i), i+6
		if utf16.IsSurrogate(r) {
			pair := utf16.DecodeRune(r, codeUnit(s, next))
			if pair != utf8.RuneError {
				next += 6
			}
			r = pair
		}
		return max(r, 0), min(next, len(s))
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

// codeUnit returns the number in the \u escape at s[i], or -1 if there is none.
func codeUnit(s string, i int) rune {
	if i+6 > len(s) || s[i] != '\\' || s[i+1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(s[i+2:i+6], 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}

// jsonElements yields the elements of the array raw.
func jsonElements(raw string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i := skipBlank(raw, 1); i < len(raw) && raw[i] != ']'; {
			to := lazyjson.Skip(bytesOf(raw), i)
			if to <= i || !yield(raw[i:to]) {
				return
			}
			if i = skipBlank(raw, to); i < len(raw) && raw[i] == ',' {
				i = skipBlank(raw, i+1)
			}
		}
	}
}

// trimJSON returns raw without space around it.
func trimJSON(raw string) string {
	raw = raw[skipBlank(raw, 0):]
	for len(raw) > 0 && raw[len(raw)-1] <= ' ' {
		raw = raw[:len(raw)-1]
	}
	return raw
}

// skipBlank returns the index of the first byte at or behind i that is no white space.
func skipBlank(s string, i int) int {
	for i < len(s) && s[i] <= ' ' {
		i++
	}
	return i
}
