package valve

import (
	"strings"

	"deepstream-fast/internal/ecma"
)

// call calls a method: see method for which there are.
func (r *run) call(n *node) value {
	v, done := r.object(n)
	if done {
		return v
	}
	var args [2]value
	for i, a := range n.list {
		arg := r.eval(a)
		if arg.failed() {
			return arg
		}
		if i < len(args) {
			args[i] = arg
		}
	}
	switch {
	case v.isArray() && n.method == methodIndexOf:
		return numberValue(float64(search(v, args, len(n.list), false)))
	case v.isArray() && n.method == methodIncludes:
		return boolValue(search(v, args, len(n.list), true) >= 0)
	case v.kind != kindText:
		return r.throw(n, reasonNoMethod)
	}
	switch n.method {
	case methodToUpperCase:
		return r.bounded(n, upper(v.text))
	case methodToLowerCase:
		return r.bounded(n, lower(v.text))
	case methodTrim:
		return textValue(strings.TrimFunc(v.text, ecma.IsSpace))
	case methodMatch:
		return r.match(n, v.text, args[0])
	}
	return r.find(n, v.text, args)
}

func (r *run) bounded(n *node, s string) value {
	if len(s) > textBytesMax {
		return r.throw(n, reasonTooLong)
	}
	return textValue(s)
}

// find is startsWith, endsWith, includes and indexOf of text.
func (r *run) find(n *node, s string, args [2]value) value {
	if args[0].kind == kindRegex && n.method != methodIndexOf {
		return r.throw(n, reasonRegexArgument)
	}
	want, okWant := toText(args[0])
	at, okAt := primitive(args[1])
	if !okWant || !okAt {
		return r.throw(n, reasonTooLong)
	}
	if n.method == methodEndsWith {
		if at.kind != kindUndefined {
			s = s[:byteOffset(s, clampInteger(toNumber(at), 0, len(s)))]
		}
		return boolValue(strings.HasSuffix(s, want))
	}
	from := byteOffset(s, clampInteger(toNumber(at), 0, len(s)))
	switch n.method {
	case methodStartsWith:
		return boolValue(strings.HasPrefix(s[from:], want))
	case methodIncludes:
		return boolValue(strings.Contains(s[from:], want))
	}
	i := strings.Index(s[from:], want)
	if i < 0 {
		return numberValue(-1)
	}
	return numberValue(float64(unitLen(s[:from+i])))
}

// search returns the index of args[0] in an array, from args[1] on, or -1. ECMAScript §23.1.3.
func search(v value, args [2]value, count int, nan bool) int {
	from := 0
	if count > 1 {
		at, _ := primitive(args[1])
		const far = 1 << 31
		if from = clampInteger(toNumber(at), -far, far); from < 0 {
			from = max(from+v.length(), 0)
		}
	}
	want, i := args[0], 0
	for e := range v.elements {
		if i >= from && (strictEqual(e, want) || nan && e.kind == kindNumber && want.kind == kindNumber && e.n != e.n && want.n != want.n) {
			return i
		}
		i++
	}
	return -1
}

// match is String.prototype.match.
func (r *run) match(n *node, s string, arg value) value {
	re := emptyRegex
	switch arg.kind {
	case kindRegex:
		re = arg.heap().regex
	case kindUndefined:
	default:
		source, ok := toText(arg)
		if !ok {
			return r.throw(n, reasonTooLong)
		}
		var err error
		if re, err = dynamicRegex(source); err != nil {
			return r.throw(n, reasonRegex)
		}
	}
	found, err := re.match(s)
	switch {
	case err != nil:
		return r.throw(n, reasonRegexSlow)
	case found == nil:
		return value{kind: kindNull}
	}
	return heapValue(kindArray, &heap{elems: found})
}
