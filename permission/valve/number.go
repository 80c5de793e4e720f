package valve

import (
	"math"

	"deepstream-fast/internal/ecma"
)

// spell returns n as JavaScript spells it.
func spell(n float64) string {
	var room [ecma.NumberBytesMax]byte
	return string(ecma.AppendNumber(room[:0], n))
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
