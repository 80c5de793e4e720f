package lazyjson

// Find checks doc as Valid does and, in the same pass, returns the member key if it is an object: the
// last one of that name, a view of doc without white space around it. Hot path: 0 allocs, see
// BenchmarkFind.
func Find(doc, key []byte) (value []byte, found, valid bool) {
	i := skipSpace(doc, 0)
	if i >= len(doc) || doc[i] != '{' || empty(doc, i) {
		return nil, false, Valid(doc)
	}
	first := firstOf(key)
	for i++; ; i++ {
		if i = skipTo(doc, i, '"'); i < 0 {
			return nil, false, false
		}
		end := skipShort(doc, i+1)
		if end < len(doc) && doc[end] == '"' {
			end++
		} else if end = skipString(doc, end); end < 0 {
			return nil, false, false
		}
		spelled := doc[i+1 : end-1]
		if i = skipTo(doc, end, ':'); i < 0 {
			return nil, false, false
		}
		from := skipSpace(doc, i+1)
		var to int
		if from < len(doc) && doc[from] == '"' { // no need to ask what it is
			to = skipString(doc, from+1)
		} else {
			to = checkMember(doc, from)
		}
		if to < 0 {
			return nil, false, false
		}
		if c := doc[end-len(spelled)-1]; (c == first || c == '\\') && sameKey(spelled, key) {
			value, found = doc[from:to:to], true
		}
		if i = to; i < len(doc) && doc[i] == ',' {
			continue
		}
		switch i = skipSpace(doc, i); {
		case i >= len(doc):
			return nil, false, false
		case doc[i] == '}' && skipSpace(doc, i+1) == len(doc):
			return value, found, true
		case doc[i] != ',':
			return nil, false, false
		}
	}
}

// checkMember is checkValue for a value one level deep, and no string, quicker for numbers.
func checkMember(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	if b[i]-'0' <= 9 {
		return skipNumber(b, i)
	}
	return checkValue(b, i, DepthMax-1)
}
