package httpapi

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// The functions here walk JSON text that is known to be valid, without building anything.

// blank returns the index of the first byte of b, from i on, that is no white space.
func blank(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// skip returns the index behind the value that begins at b[i].
func skip(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		depth := 0
		for {
			switch b[i] {
			case '"':
				i = skipString(b, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			if i++; depth == 0 {
				return i
			}
		}
	}
	for i < len(b) && bytes.IndexByte([]byte(",]} \t\r\n"), b[i]) < 0 {
		i++
	}
	return i
}

func skipString(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// members calls f for every member of an object, in order, with its decoded key.
func members(object []byte, f func(key, value []byte)) {
	i := blank(object, blank(object, 0)+1)
	for object[i] != '}' {
		end := skipString(object, i)
		key := text(object[i:end])
		i = blank(object, blank(object, end)+1) // behind the colon
		end = skip(object, i)
		f(key, object[i:end:end])
		if i = blank(object, end); object[i] == ',' {
			i = blank(object, i+1)
		}
	}
}

// elements calls f for every element of an array, in order, until it returns false.
func elements(array []byte, f func(i int, value []byte) bool) {
	i := blank(array, blank(array, 0)+1)
	for n := 0; array[i] != ']'; n++ {
		end := skip(array, i)
		if !f(n, array[i:end:end]) {
			return
		}
		if i = blank(array, end); array[i] == ',' {
			i = blank(array, i+1)
		}
	}
}

// isEmpty reports whether an array has no elements.
func isEmpty(array []byte) bool { return array[blank(array, 1)] == ']' }

// count returns the number of elements of an array.
func count(array []byte) (n int) {
	elements(array, func(int, []byte) bool { n++; return true })
	return n
}

// text returns what a string holds: a view of it, if it needs no decoding.
func text(quoted []byte) []byte {
	inner := quoted[1 : len(quoted)-1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return inner
	}
	var s string
	_ = json.Unmarshal(quoted, &s) // it is valid
	return []byte(s)
}

// isText reports whether a value is a string.
func isText(value []byte) bool { return value[0] == '"' }

// appendQuoted appends s as a JSON string.
func appendQuoted(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, _ := json.Marshal(s) // no string fails
			return append(dst, quoted...)
		}
	}
	dst = append(append(dst, '"'), s...)
	return append(dst, '"')
}
