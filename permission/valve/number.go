package valve

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// formatNumber spells n as JavaScript does. ECMAScript §6.1.6.1.20.
func formatNumber(n float64) string {
	switch size := math.Abs(n); {
	case n != n:
		return "NaN"
	case math.IsInf(n, 1):
		return "Infinity"
	case math.IsInf(n, -1):
		return "-Infinity"
	case n == 0:
		return "0" // minus zero as well
	case size >= 1e-6 && size < 1e21:
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	s := strconv.FormatFloat(n, 'e', -1, 64)
	// Go writes e-07 where JavaScript writes e-7.
	if at := len(s) - 2; s[at] == '0' && (s[at-1] == '-' || s[at-1] == '+') {
		s = s[:at] + s[at+1:]
	}
	return s
}

// numberOf converts text as Number() does. ECMAScript §7.1.4.1.
func numberOf(s string) float64 {
	s = strings.TrimFunc(s, isSpace)
	if s == "" {
		return 0
	}
	if len(s) > 2 && s[0] == '0' {
		if base := radix(s[1]); base != 0 {
			return integerOf(s[2:], base)
		}
	}
	digits := s
	if s[0] == '+' || s[0] == '-' {
		digits = s[1:]
	}
	// Go knows more spellings than JavaScript does; only decimal numbers may reach it.
	if digits != "Infinity" && !isDecimal(digits) {
		return math.NaN()
	}
	n, _ := strconv.ParseFloat(s, 64) // out of range is an infinity here and there
	return n
}

// isDecimal reports whether s is digits, perhaps with a point and an exponent.
func isDecimal(s string) bool {
	i, count := 0, 0
	digits := func() {
		for i < len(s) && isDigit(s[i]) {
			i++
			count++
		}
	}
	digits()
	if i < len(s) && s[i] == '.' {
		i++
		digits()
	}
	if count == 0 {
		return false
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		if i++; i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		count = 0
		digits()
		if count == 0 {
			return false
		}
	}
	return i == len(s)
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

func integerOf(digits string, base int) float64 {
	if strings.ContainsAny(digits, "_+-") {
		return math.NaN()
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
	n, ok := new(big.Int).SetString(digits, base)
	if !ok {
		return math.NaN()
	}
	f, _ := new(big.Float).SetInt(n).Float64()
	return f
}

// toInt32 is ECMAScript §7.1.6.
func toInt32(n float64) int32 { return int32(toUint32(n)) }

// toUint32 is ECMAScript §7.1.7.
func toUint32(n float64) uint32 {
	if n != n || math.IsInf(n, 0) {
		return 0
	}
	if n = math.Trunc(n); math.Abs(n) < 1<<53 {
		return uint32(int64(n))
	}
	return uint32(int64(math.Mod(n, 1<<32)))
}

// clampInteger converts a position: NaN is 0, everything is within low and high.
func clampInteger(n float64, low, high int) int {
	switch {
	case n != n:
		n = 0
	case n < float64(low):
		return low
	case n > float64(high):
		return high
	}
	return min(max(int(n), low), high)
}

// power is **, where 1 to anything infinite is NaN. ECMAScript §6.1.6.1.3.
func power(base, exponent float64) float64 {
	if exponent != exponent || math.IsInf(exponent, 0) && math.Abs(base) == 1 {
		return math.NaN()
	}
	return math.Pow(base, exponent)
}
