package valve

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// Text is UTF-8 here and UTF-16 in JavaScript, whose positions and lengths count units of 16 bits. The
// functions in this file translate; ASCII, where both agree, is quick.

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// unitsOf returns how many units r is.
func unitsOf(r rune) int {
	if r > 0xFFFF {
		return 2
	}
	return 1
}

// unitLen returns the length of s in units.
func unitLen(s string) int {
	if isASCII(s) {
		return len(s)
	}
	n := 0
	for _, r := range s {
		n += unitsOf(r)
	}
	return n
}

// unitAt returns the text of unit i. Half a surrogate pair is U+FFFD.
func unitAt(s string, i int) (string, bool) {
	for at, r := range s {
		if i < unitsOf(r) {
			if r > 0xFFFF {
				return "\uFFFD", true
			}
			_, n := utf8.DecodeRuneInString(s[at:])
			return s[at : at+n], true
		}
		i -= unitsOf(r)
	}
	return "", false
}

// byteOffset returns where unit i of s begins, at most len(s). From the middle of a surrogate pair it
// goes on to its end.
func byteOffset(s string, i int) int {
	for at, r := range s {
		if i <= 0 {
			return at
		}
		i -= unitsOf(r)
	}
	return len(s)
}

// compareText orders by units. UTF-8 orders by characters, which differs where one is above U+FFFF.
func compareText(a, b string) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	if i == len(a) || i == len(b) || a[i] < 0xEE || b[i] < 0xEE {
		return strings.Compare(a[i:], b[i:])
	}
	// Both differ in the first byte of a character of U+E000 or above, or later in one.
	if high := a[i] >= 0xF0; high != (b[i] >= 0xF0) {
		if high {
			return -1
		}
		return 1
	}
	return strings.Compare(a[i:], b[i:])
}

// upper and lower map as Unicode says, so that one letter may become two. Casers hold no state between
// calls of String, but are not safe for concurrent use: each call has its own.
func upper(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	return cases.Upper(language.Und).String(s)
}

func lower(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return cases.Lower(language.Und).String(s)
}
