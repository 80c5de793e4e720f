package lazyjson

import (
	"deepstream-fast/internal/ecma"
	"deepstream-fast/internal/invariant"
)

const (
	// DocBytesMax is the largest document that is patched, before and after.
	DocBytesMax = 16 << 20
	// FillMax is the largest number of nulls one patch puts into arrays to reach its index.
	FillMax = 100_000
)

// Get returns the value at path, a view of doc without white space around it, or false if there is
// none. A null that is there is found. doc must be valid. Hot path: 0 allocs, see BenchmarkGet.
func Get(doc []byte, path Path) (value []byte, ok bool) {
	if path.segments == 0 {
		return nil, false
	}
	at, err := locate(doc, path)
	if err != nil || !at.found || at.seg.left > 1 {
		return nil, false
	}
	return doc[at.from:at.to:at.to], true
}

// Set appends doc to dst with value at path, as the package documentation describes, and returns the
// extended slice. doc and value must be valid; neither may lie in the free capacity of dst. It fails with
// ErrPathEmpty for the zero Path, ErrRoot, ErrFill, ErrTooDeep, ErrTooLarge or, if it notices, ErrSyntax.
// It allocates only to grow dst. Hot path: 0 allocs, see BenchmarkSet.
func Set(dst, doc []byte, path Path, value []byte) ([]byte, error) {
	if len(value) == 0 {
		return dst, ErrSyntax
	}
	return patch(dst, doc, path, value)
}

// Erase appends doc to dst without the member at path, or with null for an element. A path that
// leads nowhere is no error. Otherwise like Set.
func Erase(dst, doc []byte, path Path) ([]byte, error) {
	return patch(dst, doc, path, nil)
}

// patch is Set, and Erase if value is nil.
func patch(dst, doc []byte, path Path, value []byte) ([]byte, error) {
	switch {
	case path.segments == 0:
		return dst, ErrPathEmpty
	case len(doc) > DocBytesMax:
		return dst, ErrTooLarge
	case deeper(value, DepthMax-path.segments):
		return dst, ErrTooDeep
	}
	base := len(dst)
	dst, err := splice(dst, doc, path, value)
	if err == nil && len(dst)-base > DocBytesMax {
		err = ErrTooLarge
	}
	if err != nil {
		return dst[:base], err
	}
	if invariant.Enabled && Valid(doc) && (value == nil || Valid(value)) {
		invariant.Assert(Valid(dst[base:]), "lazyjson: patching %q at %q with %q gave %q", doc, path.text, value, dst[base:])
	}
	return dst, nil
}

// splice does the work of patch, and may leave part of it in dst if it fails.
func splice(dst, doc []byte, path Path, value []byte) ([]byte, error) {
	at, err := locate(doc, path)
	if err != nil {
		return dst, err
	}
	var scratch [ecma.NumberBytesMax]byte
	rest := at.seg
	seg := rest.next(path.text, &scratch)
	fill := int64(FillMax)
	switch {
	case at.lost:
		return append(dst, doc...), nil
	case value == nil && rest.done():
		return appendErased(dst, doc, at, seg.key), nil
	case at.found:
		dst = append(dst, doc[:at.from]...)
		dst, err = appendRest(dst, path.text, rest, value, fill)
		return append(dst, doc[at.to:]...), err
	}
	dst = append(dst, doc[:at.end]...)
	if at.count > 0 {
		dst = append(dst, ',')
	}
	if doc[at.open] == '{' {
		dst = append(appendQuoted(dst, seg.key), ':')
	} else if dst, fill, err = appendFill(dst, at.index-at.count, fill); err != nil {
		return dst, err
	}
	dst, err = appendRest(dst, path.text, rest, value, fill)
	return append(dst, doc[at.end:]...), err
}

// place is where the segments of a path lead, as far as there are containers.
type place struct {
	open     int    // the innermost container
	seg      cursor // in front of the segment it was asked for
	index    int64  // that segment, in an array
	found    bool   // there is a value,
	from, to int    // and this is it
	lost     bool   // the segment names nothing in this kind of container
	count    int64  // items passed; all, if not found
	end      int    // behind the last of them, where another one goes
}

// locate follows path into doc.
func locate(doc []byte, path Path) (place, error) {
	open := skipSpace(doc, 0)
	if open >= len(doc) || !isOpener(doc[open]) {
		return place{}, ErrRoot
	}
	at, end := resolve(doc, open, path.text, path.cursor())
	if end < 0 {
		return at, ErrSyntax
	}
	return at, nil
}

// resolve follows c through the container opened at doc[open] and returns the index behind that, or a
// negative number for malformed text. Of members with the same name the last one counts, as for JSON
// parsers, so an object is read to its end; but every byte once, however deep the path goes. The
// recursion is SegmentsMax deep at most.
func resolve(doc []byte, open int, text []byte, c cursor) (at place, end int) {
	at = place{open: open, seg: c, end: open + 1}
	var scratch [ecma.NumberBytesMax]byte
	seg := c.next(text, &scratch)
	opener := doc[open]
	if opener == '[' {
		var ok bool
		if at.index, ok = ecma.ArrayIndex(seg.key); !ok {
			at.lost = true
			return at, skipRest(doc, open+1)
		}
	}
	if empty(doc, open) {
		return at, skipRest(doc, open+1)
	}
	best, matched := at, false
	for i := open + 1; ; i++ {
		key, from := scanKey(doc, i, opener)
		match := opener == '[' && at.count == at.index || opener == '{' && sameKey(key, seg.key)
		if match && !c.done() && from < len(doc) && isOpener(doc[from]) {
			best, at.to = resolve(doc, from, text, c)
		} else if at.to = skipValue(doc, from); match {
			best = at
			best.found, best.from = true, from
		}
		if at.to <= from {
			return at, -1
		}
		at.count, at.end, matched = at.count+1, at.to, matched || match
		switch i = skipSpace(doc, at.to); {
		case i >= len(doc) || doc[i] != ',' && doc[i] != opener+2:
			return at, -1
		case matched && opener == '[':
			return best, skipRest(doc, i)
		case matched && doc[i] != ',':
			return best, i + 1
		case doc[i] != ',':
			return at, i + 1
		}
	}
}

// appendErased appends doc without what was found at a place, asked for by key.
func appendErased(dst, doc []byte, at place, key []byte) []byte {
	if !at.found {
		return append(dst, doc...)
	}
	if doc[at.open] == '[' {
		dst = append(dst, doc[:at.from]...)
		return append(append(dst, "null"...), doc[at.to:]...)
	}
	dst = append(dst, doc[:at.open+1]...)
	kept := len(dst)
	for i := at.open + 1; ; {
		it, _ := scanItem(doc, i, '{') // resolve has seen them all
		if !sameKey(it.key, key) {
			if len(dst) > kept {
				dst = append(dst, ',')
			}
			dst = append(dst, doc[i:it.sep]...)
		}
		if doc[it.sep] != ',' {
			return append(dst, doc[it.sep:]...)
		}
		i = it.sep + 1
	}
}

// appendRest appends the containers that the segments of text behind c ask for, with value inside, or
// without it if it is nil or the last segment names nothing. It adds at most fill nulls.
func appendRest(dst, text []byte, c cursor, value []byte, fill int64) ([]byte, error) {
	if c.done() {
		return append(dst, value...), nil
	}
	var (
		closers [SegmentsMax]byte
		depth   int
		scratch [ecma.NumberBytesMax]byte
		err     error
	)
	for !c.done() {
		seg := c.next(text, &scratch)
		opener := byte('{')
		if seg.number {
			opener = '['
		}
		dst = append(dst, opener)
		closers[depth] = opener + 2
		depth++
		if value == nil && c.done() {
			break // nothing to erase in a new container
		}
		if !seg.number {
			dst = append(appendQuoted(dst, seg.key), ':')
			continue
		}
		index, ok := ecma.ArrayIndex(seg.key)
		if !ok {
			value = nil
			break
		}
		if dst, fill, err = appendFill(dst, index, fill); err != nil {
			return dst, err
		}
	}
	dst = append(dst, value...)
	for depth > 0 {
		depth--
		dst = append(dst, closers[depth])
	}
	return dst, nil
}

// appendFill appends n nulls, with a comma behind each, and returns what is left of fill.
func appendFill(dst []byte, n, fill int64) ([]byte, int64, error) {
	if n > fill {
		return dst, fill, ErrFill
	}
	for range n {
		dst = append(dst, "null,"...)
	}
	return dst, fill - n, nil
}
