package valve

import (
	"math"
	"strings"
	"unsafe"

	"deepstream-fast/internal/ecma"
	"deepstream-fast/lazyjson"
)

// kind is the type of a value. The order groups them: see isContainer.
type kind uint8

const (
	kindUndefined kind = iota
	kindNull
	kindBool
	kindNumber
	kindText
	kindFunction   // _ itself
	kindUser       // the variable user
	kindRegex      // heap.regex
	kindArray      // heap.elems
	kindObject     // heap.elems, heap.keys
	kindJSONArray  // text is its JSON
	kindJSONObject // text is its JSON

	// No values, but what evaluation returns instead of one.
	kindThrown  // it has failed; run.failure says why
	kindSkipped // an optional chain has ended
)

// value is any value of the language, without a box: what it holds depends on its kind. JSON containers
// stay the text they came as. With four words, and not with five, the compiler keeps values in registers,
// which halves the time of a rule: so text is also what leads to a heap.
type value struct {
	kind kind
	n    float64 // number; a boolean is 0 or 1
	text string  // of heapValue, not to be read
}

// heap is what does not fit into a value: literals, and what match returns.
type heap struct {
	elems []value
	keys  []string // of an object: elems by key; a later one overrides an earlier
	regex *regex
}

// heapValue returns the value of a kind that lies in h.
func heapValue(k kind, h *heap) value {
	return value{kind: k, text: unsafe.String((*byte)(unsafe.Pointer(h)), 1)}
}

// heap returns what heapValue was given; v is such a value.
func (v value) heap() *heap { return (*heap)(unsafe.Pointer(unsafe.StringData(v.text))) }

func numberValue(n float64) value { return value{kind: kindNumber, n: n} }
func textValue(s string) value    { return value{kind: kindText, text: s} }

func boolValue(b bool) value {
	if b {
		return value{kind: kindBool, n: 1}
	}
	return value{kind: kindBool}
}

// view returns b as a string, which is valid as long as b does not change.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// bytesOf returns s as bytes that nobody may change.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

func (v value) failed() bool { return v.kind == kindThrown }

func (v value) nullish() bool { return v.kind <= kindNull }

// isContainer reports whether v is an object for JavaScript: compared by identity, text by its content.
func (v value) isContainer() bool { return v.kind >= kindUser }

// truthy says what v counts as in a condition. ECMAScript §7.1.2.
func (v value) truthy() bool {
	switch v.kind {
	case kindUndefined, kindNull, kindThrown, kindSkipped:
		return false
	case kindBool:
		return v.n != 0
	case kindNumber:
		return v.n != 0 && v.n == v.n
	case kindText:
		return v.text != ""
	}
	return true
}

// typeName is what typeof says. ECMAScript §13.5.3.
func (v value) typeName() string {
	switch v.kind {
	case kindUndefined:
		return "undefined"
	case kindBool:
		return "boolean"
	case kindNumber:
		return "number"
	case kindText:
		return "string"
	case kindFunction:
		return "function"
	}
	return "object"
}

// strictEqual is ===. ECMAScript §7.2.15.
func strictEqual(a, b value) bool {
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case kindBool, kindNumber:
		return a.n == b.n
	case kindText:
		return a.text == b.text
	}
	// What has the same place in the same text, or on the heap, is the same; others of a kind have no text.
	return unsafe.StringData(a.text) == unsafe.StringData(b.text) && len(a.text) == len(b.text)
}

// looseEqual is ==. It fails if text gets too long. ECMAScript §7.2.14.
func looseEqual(a, b value) (equal, ok bool) {
	switch {
	case a.nullish() || b.nullish():
		return a.nullish() && b.nullish(), true
	case a.kind == b.kind || a.isContainer() && b.isContainer():
		return strictEqual(a, b), true
	case a.isContainer() || b.isContainer():
		pa, okA := primitive(a)
		pb, okB := primitive(b)
		if !okA || !okB {
			return false, false
		}
		return looseEqual(pa, pb)
	case a.kind == kindFunction || b.kind == kindFunction:
		return false, true
	}
	return toNumber(a) == toNumber(b), true
}

// primitive turns containers into text. ECMAScript §7.1.1, where valueOf returns the object itself.
func primitive(v value) (value, bool) {
	if !v.isContainer() && v.kind != kindFunction {
		return v, true
	}
	s, ok := toText(v)
	return textValue(s), ok
}

// toNumber converts a primitive. ECMAScript §7.1.4.
func toNumber(v value) float64 {
	switch v.kind {
	case kindNull:
		return 0
	case kindBool, kindNumber:
		return v.n
	case kindText:
		return ecma.Number(v.text)
	}
	return math.NaN()
}

// textBytesMax is the longest text that evaluation makes.
const textBytesMax = 1 << 20

// toText converts v as String() does, and fails if the text gets longer than textBytesMax.
func toText(v value) (string, bool) {
	switch v.kind {
	case kindText:
		return v.text, true
	case kindArray, kindJSONArray:
		var b strings.Builder
		ok := joinTo(&b, v)
		return b.String(), ok
	}
	return scalarText(v), true
}

// scalarText is toText for all but arrays.
func scalarText(v value) string {
	switch v.kind {
	case kindNull:
		return "null"
	case kindBool:
		if v.n != 0 {
			return "true"
		}
		return "false"
	case kindNumber:
		return spell(v.n)
	case kindText:
		return v.text
	case kindUser, kindObject, kindJSONObject:
		return "[object Object]"
	case kindFunction:
		return "function _() { [native code] }"
	case kindRegex:
		return "/" + v.heap().regex.source + "/" + v.heap().regex.flags
	}
	return "undefined"
}

// joinTo appends the elements of an array with commas between them; undefined and null are empty. The
// recursion is as deep as the value, which lazyjson.DepthMax and depthMax bound.
func joinTo(b *strings.Builder, v value) bool {
	first := true
	for e := range v.elements {
		if !first {
			b.WriteByte(',')
		}
		first = false
		switch {
		case e.kind == kindArray || e.kind == kindJSONArray:
			if !joinTo(b, e) {
				return false
			}
		case !e.nullish():
			b.WriteString(scalarText(e))
		}
		if b.Len() > textBytesMax {
			return false
		}
	}
	return true
}

// elements yields those of an array.
func (v value) elements(yield func(value) bool) {
	if v.kind == kindArray {
		for _, e := range v.heap().elems {
			if !yield(e) {
				return
			}
		}
		return
	}
	for raw := range jsonElements(v.text) {
		if !yield(fromJSON(raw)) {
			return
		}
	}
}

// isArray reports whether v is an array of either kind.
func (v value) isArray() bool { return v.kind == kindArray || v.kind == kindJSONArray }

// length returns the length of text or of an array.
func (v value) length() int {
	switch v.kind {
	case kindText:
		return unitLen(v.text)
	case kindArray:
		return len(v.heap().elems)
	case kindJSONArray:
		n := 0
		for range jsonElements(v.text) {
			n++
		}
		return n
	}
	return 0
}

// at returns element i of text or of an array.
func (v value) at(i int) (value, bool) {
	switch v.kind {
	case kindText:
		if s, ok := unitAt(v.text, i); ok {
			return textValue(s), true
		}
	case kindArray:
		if i < len(v.heap().elems) {
			return v.heap().elems[i], true
		}
	case kindJSONArray:
		for raw := range jsonElements(v.text) {
			if i--; i < 0 {
				return fromJSON(raw), true
			}
		}
	}
	return value{}, false
}

// get returns the own property key of v, which is neither null nor undefined nor the user. What objects
// inherit in JavaScript, as constructor, is not there.
func (v value) get(key string) (value, bool) {
	switch v.kind {
	case kindJSONObject:
		raw, ok := lazyjson.Member(bytesOf(v.text), bytesOf(key))
		if !ok {
			return value{}, false
		}
		return fromJSON(view(raw)), true
	case kindObject:
		for i := len(v.heap().keys) - 1; i >= 0; i-- {
			if v.heap().keys[i] == key {
				return v.heap().elems[i], true
			}
		}
	case kindText, kindArray, kindJSONArray:
		if key == "length" {
			return numberValue(float64(v.length())), true
		}
		if i, ok := ecma.ArrayIndex(key); ok {
			return v.at(int(i))
		}
	}
	return value{}, false
}
