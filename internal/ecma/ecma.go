// Package ecma is what JavaScript means by white space, by numbers in text, and by the index of an array.
// Paths into records and permission rules have to read them as the official server does.
//
// # Invariants
//   - Number and AppendNumber are the inverse of each other: Number(AppendNumber(nil, f)) is f, but for
//     minus zero.
//   - Text costs what it is long, however large the number in it: see integerDigitsMax.
//   - Everything is pure: no state, safe for concurrent use.
//
// Cost: ArrayIndex takes a nanosecond or two and does not allocate; Number and AppendNumber are those of
// strconv for decimal numbers. Source: ECMA-262. Stability: internal, may change.
package ecma

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// IsSpace reports whether r is white space or a line end: unlike Go's notion, it has the byte order mark
// and lacks U+0085. ECMAScript §12.2 and §12.3.
func IsSpace(r rune) bool {
	switch r {
	case '\t', '\n', '\v', '\f', '\r', ' ', 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF:
		return true
	}
	return r >= 0x2000 && r <= 0x200A
}

// Number converts text as Number() does: NaN if it is none, 0 if it is blank. 0 allocs for decimal numbers.
// ECMAScript §7.1.4.1.
func Number(text string) float64 {
	s := strings.TrimFunc(text, IsSpace)
	if s == "" {
		return 0
	}
	if len(s) > 2 && s[0] == '0' {
		if base := radix(s[1]); base != 0 {
			return integer(s[2:], base)
		}
	}
	digits := s
	if s[0] == '+' || s[0] == '-' {
		digits = s[1:]
	}
	// Go knows more spellings than JavaScript does; only decimal numbers may reach it.
	if digits != "Infinity" && !decimal(digits) {
		return math.NaN()
	}
	n, _ := strconv.ParseFloat(s, 64) // out of range is an infinity here and there
	return n
}

// decimal reports whether s is digits, perhaps with a point and an exponent.
func decimal(s string) bool {
	i := skipDigits(s, 0)
	count := i
	if i < len(s) && s[i] == '.' {
		i = skipDigits(s, i+1)
		count = i - 1
	}
	if count == 0 {
		return false
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		if i++; i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		exponent := i
		if i = skipDigits(s, i); i == exponent {
			return false
		}
	}
	return i == len(s)
}

// skipDigits returns the index behind the digits at i, which may be none.
func skipDigits(s string, i int) int {
	for i < len(s) && s[i]-'0' <= 9 {
		i++
	}
	return i
}

// radix returns the base that 0 and letter announce, or 0.
func radix(letter byte) int {
	switch letter | 0x20 {
	case 'x':
		return 16
	case 'o':
		return 8
	case 'b':
		return 2
	}
	return 0
}

// integerDigitsMax bounds what big numbers cost; more digits than a float64 can hold are an infinity.
const integerDigitsMax = 1100

// integer converts digits of a base other than 10.
func integer(digits string, base int) float64 {
	if strings.ContainsAny(digits, "_+-") {
		return math.NaN() // math/big would take them
	}
	trimmed := strings.TrimLeft(digits, "0")
	if len(trimmed) > integerDigitsMax {
		for _, c := range []byte(trimmed) {
			if _, err := strconv.ParseUint(string(rune(c)), base, 8); err != nil {
				return math.NaN()
			}
		}
		return math.Inf(1)
	}
	n, ok := new(big.Int).SetString(strings.Clone(digits), base) // a copy, so that the text of others stays on their stacks
	if !ok {
		return math.NaN()
	}
	f, _ := new(big.Float).SetInt(n).Float64()
	return f
}

// NumberBytesMax is room for whatever AppendNumber appends.
const NumberBytesMax = 32

// AppendNumber appends n as JavaScript spells it: minus zero is 0. ECMAScript §6.1.6.1.20.
func AppendNumber(dst []byte, n float64) []byte {
	switch size := math.Abs(n); {
	case n != n:
		return append(dst, "NaN"...)
	case math.IsInf(n, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(n, -1):
		return append(dst, "-Infinity"...)
	case n == 0:
		return append(dst, '0')
	case size >= 1e-6 && size < 1e21:
		return strconv.AppendFloat(dst, n, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, n, 'e', -1, 64)
	// Go writes e-07 where JavaScript writes e-7.
	if at := len(dst) - 2; dst[at] == '0' && (dst[at-1] == '-' || dst[at-1] == '+') {
		dst[at] = dst[at+1]
		dst = dst[:at+1]
	}
	return dst
}

// arrayIndexEnd is the first number that is a property of an array, but not an index. ECMAScript §6.1.7.
const arrayIndexEnd = 1<<32 - 1

// ArrayIndex returns the index that key is the canonical text of. 0 allocs.
func ArrayIndex[Text []byte | string](key Text) (index int64, ok bool) {
	if len(key) == 0 || len(key) > len("4294967294") || key[0] == '0' && len(key) > 1 {
		return 0, false
	}
	for i := range len(key) {
		c := key[i] - '0'
		if c > 9 {
			return 0, false
		}
		index = index*10 + int64(c)
	}
	return index, index < arrayIndexEnd
}
