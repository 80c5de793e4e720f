package valve

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
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

// jsonMember returns the member key of the object raw; of several with that name the last one, as
// parsers do. Hot path: 0 allocs, see BenchmarkCheck.
func jsonMember(raw, key string) (member string, ok bool) {
	for i := skipBlank(raw, 1); i < len(raw) && raw[i] == '"'; {
		end := skipQuoted(raw, i)
		spelled := raw[i+1 : max(end-1, i+1)]
		from := skipBlank(raw, end)
		if from >= len(raw) || raw[from] != ':' {
			break
		}
		from = skipBlank(raw, from+1)
		to := skipJSON(raw, from)
		if to <= from {
			break
		}
		if sameKey(spelled, key) {
			member, ok = raw[from:to], true
		}
		if i = skipBlank(raw, to); i < len(raw) && raw[i] == ',' {
			i = skipBlank(raw, i+1)
		}
	}
	return member, ok
}

// sameKey reports whether the spelled key of a member says key.
func sameKey(spelled, key string) bool {
	if len(spelled) <= len(key) {
		return spelled == key && strings.IndexByte(key, '\\') < 0
	}
	// An escape is longer than what it stands for; most keys differ before the first one.
	for i := range len(key) {
		if spelled[i] == '\\' {
			return unquoteJSON(`"`+spelled+`"`) == key
		}
		if spelled[i] != key[i] {
			return false
		}
	}
	return spelled[len(key)] == '\\' && unquoteJSON(`"`+spelled+`"`) == key
}

// jsonElements yields the elements of the array raw.
func jsonElements(raw string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i := skipBlank(raw, 1); i < len(raw) && raw[i] != ']'; {
			to := skipJSON(raw, i)
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

// skipQuoted returns the index behind the string whose opening quote is at i. It is quickest for the
// short ones of which most documents are made.
func skipQuoted(s string, i int) int {
	i++
	for end := min(i+16, len(s)); i < end && s[i] != '\\'; i++ {
		if s[i] == '"' {
			return i + 1
		}
	}
	return skipLong(s, i)
}

// skipLong is skipQuoted from anywhere in a string, but not from behind a backslash.
func skipLong(s string, i int) int {
	for ; i < len(s); i++ {
		n := strings.IndexByte(s[i:], '"')
		if n < 0 {
			return len(s)
		}
		slashes := 0
		for slashes < n && s[i+n-1-slashes] == '\\' {
			slashes++
		}
		if i += n; slashes&1 == 0 {
			return i + 1
		}
	}
	return len(s)
}

// skipJSON returns the index behind the value at i.
func skipJSON(s string, i int) int {
	if i >= len(s) {
		return i
	}
	switch s[i] {
	case '"':
		return skipQuoted(s, i)
	case '{', '[':
		return skipContainer(s, i)
	}
	for i < len(s) && s[i] > ' ' && s[i] != ',' && s[i] != '}' && s[i] != ']' {
		i++
	}
	return i
}

// skipContainer returns the index behind the array or object that opens at i.
func skipContainer(s string, i int) int {
	for depth := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			i = skipQuoted(s, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return i
}
