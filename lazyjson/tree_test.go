package lazyjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// node is JSON as a tree: what the package must not build, and the naive model it is held against.
type node struct {
	opener byte // '{', '[' or 0 for a scalar
	text   string
	keys   []string
	kids   []*node
}

func tree(t testing.TB, text []byte) *node {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return treeOf(t, d)
}

func treeOf(t testing.TB, d *json.Decoder) *node {
	t.Helper()
	token, err := d.Token()
	if err != nil {
		t.Fatal(err)
	}
	opener, container := token.(json.Delim)
	if !container {
		text, err := json.Marshal(token)
		if err != nil {
			t.Fatal(err)
		}
		return &node{text: string(text)}
	}
	n := &node{opener: byte(opener)}
	for d.More() {
		if opener == '{' {
			key, err := d.Token()
			if err != nil {
				t.Fatal(err)
			}
			n.put(key.(string), treeOf(t, d))
		} else {
			n.kids = append(n.kids, treeOf(t, d))
		}
	}
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	return n
}

// put sets a member of an object; a known key keeps its place.
func (n *node) put(key string, kid *node) {
	if i := slices.Index(n.keys, key); i >= 0 {
		n.kids[i] = kid
		return
	}
	n.keys, n.kids = append(n.keys, key), append(n.kids, kid)
}

// String renders n as JSON.stringify would: keys that look like indices first, by size.
func (n *node) String() string {
	switch n.opener {
	case 0:
		return n.text
	case '[':
		var parts []string
		for _, kid := range n.kids {
			parts = append(parts, kid.String())
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	order := make([]int, len(n.keys))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return sortIndex(n.keys[a]) - sortIndex(n.keys[b]) })
	var parts []string
	for _, i := range order {
		key, _ := json.Marshal(n.keys[i])
		parts = append(parts, string(key)+":"+n.kids[i].String())
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// sortIndex returns key as an index, or the first number that is none.
func sortIndex(key string) int {
	if i, err := strconv.ParseUint(key, 10, 32); err == nil && strconv.FormatUint(i, 10) == key {
		return int(i)
	}
	return 1<<32 - 1
}

// step is a segment as the model sees it.
type step struct {
	key    string
	number bool
}

var brackets = regexp.MustCompile(`[\[\]]`)

const modelSpace = "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"

func steps(path string) (all []step) {
	for part := range strings.SplitSeq(path, ".") {
		if part = strings.Trim(part, modelSpace); part == "" {
			continue
		}
		for i, piece := range brackets.Split(part, -1) {
			if i == 0 {
				all = append(all, step{piece, false})
			} else if piece != "" {
				all = append(all, step{modelNumber(piece), true})
			}
		}
	}
	return all
}

var (
	modelDecimal = regexp.MustCompile(`^[+-]?([0-9]+([eE][+-]?[0-9]+)?|Infinity)$`)
	modelInteger = regexp.MustCompile(`^0([xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)$`)
)

// modelNumber is String(Number(text)).
func modelNumber(text string) string {
	text = strings.Trim(text, modelSpace)
	var f float64
	switch {
	case text == "":
	case modelInteger.MatchString(text):
		n, _ := new(big.Int).SetString(text, 0)
		f, _ = n.Float64()
	case modelDecimal.MatchString(text):
		f, _ = strconv.ParseFloat(text, 64)
	default:
		return "NaN"
	}
	text, err := func() (string, error) { b, err := json.Marshal(f); return string(b), err }()
	switch {
	case err != nil && f > 0:
		return "Infinity"
	case err != nil:
		return "-Infinity"
	case f == 0:
		return "0"
	}
	return text // encoding/json spells numbers as ECMAScript does
}

// patch sets the value at path, or erases what is there if value is nil. It reports false where an
// array would grow too much.
func (n *node) patch(path []step, value *node) bool {
	fill := FillMax
	for ; len(path) > 1; path = path[1:] {
		kid, ok := n.get(path[0].key)
		if !ok || kid.opener == 0 {
			kid = &node{opener: '{'}
			if path[1].number {
				kid.opener = '['
			}
			if kept, ok := n.set(path[0].key, kid, &fill); !ok || !kept {
				return ok
			}
		}
		n = kid
	}
	if value != nil {
		_, ok := n.set(path[0].key, value, &fill)
		return ok
	}
	if _, ok := n.get(path[0].key); ok {
		if i := sortIndex(path[0].key); n.opener == '[' {
			n.kids[i] = &node{text: "null"}
		} else {
			i = slices.Index(n.keys, path[0].key)
			n.keys, n.kids = slices.Delete(n.keys, i, i+1), slices.Delete(n.kids, i, i+1)
		}
	}
	return true
}

func (n *node) get(key string) (*node, bool) {
	i := slices.Index(n.keys, key)
	if n.opener == '[' {
		i = sortIndex(key)
	}
	if i < 0 || i >= len(n.kids) {
		return nil, false
	}
	return n.kids[i], true
}

// set reports whether the container keeps the kid, and false if it would have to grow too much.
func (n *node) set(key string, kid *node, fill *int) (kept, ok bool) {
	if n.opener == '{' {
		n.put(key, kid)
		return true, true
	}
	i := sortIndex(key)
	if i == 1<<32-1 {
		return false, true
	}
	if *fill -= max(0, i-len(n.kids)); *fill < 0 {
		return false, false
	}
	for len(n.kids) <= i {
		n.kids = append(n.kids, &node{text: "null"})
	}
	n.kids[i] = kid
	return true, true
}

var errModelFill = errors.New("too far")

// modelPatch returns what the model makes of a patch.
func modelPatch(t testing.TB, doc []byte, path string, value []byte) (string, error) {
	t.Helper()
	root := tree(t, doc)
	var kid *node
	if value != nil {
		kid = tree(t, value)
	}
	if !root.patch(steps(path), kid) {
		return "", errModelFill
	}
	return root.String(), nil
}
