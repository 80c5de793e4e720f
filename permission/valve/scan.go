package valve

import (
	"strconv"
	"strings"

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
	text, _ := lazyjson.AppendUnescaped(make([]byte, 0, len(inner)), bytesOf(inner))
	return view(text)
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
