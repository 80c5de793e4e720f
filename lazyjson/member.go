package lazyjson

// Skip returns the index behind the value at b[i], which it trusts to be JSON. In malformed text it returns
// i or less, or any index up to len(b).
func Skip(b []byte, i int) int { return min(skipValue(b, i), len(b)) }

// Member returns the member key of the object at the beginning of obj, which it trusts to be JSON without
// space in front: of several with that name the last one, as parsers do. The value is a view of obj without
// space around it. Hot path: 0 allocs, see BenchmarkMember.
func Member(obj, key []byte) (value []byte, found bool) {
	first := firstOf(key)
	for i := 1; ; i++ { // behind the opener, then behind each comma
		if i = skipSpace(obj, i); i >= len(obj) || obj[i] != '"' {
			return value, found
		}
		end := skipShort(obj, i+1)
		if end < len(obj) && obj[end] == '"' {
			end++
		} else if end = skipString(obj, end); end < 0 {
			return value, found
		}
		spelled := obj[i+1 : end-1]
		if i = skipSpace(obj, end); i >= len(obj) || obj[i] != ':' {
			return value, found
		}
		from := skipSpace(obj, i+1)
		var to int
		if from < len(obj) && obj[from] == '"' { // no need to ask what it is
			to = skipText(obj, from+1)
		} else {
			to = skipValue(obj, from)
		}
		if to <= from {
			return value, found
		}
		if c := obj[end-len(spelled)-1]; (c == first || c == '\\') && sameKey(spelled, key) {
			value, found = obj[from:to:to], true
		}
		if i = skipSpace(obj, to); i >= len(obj) || obj[i] != ',' {
			return value, found
		}
	}
}

// firstOf returns what a member of that key begins with behind its quote, unless with an escape.
func firstOf(key []byte) byte {
	if len(key) == 0 {
		return '"'
	}
	return key[0]
}
