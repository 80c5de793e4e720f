package lazyjson

import "deepstream-fast/internal/invariant"

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
	c := path.cursor()
	at, err := resolve(doc, &c)
	if err != nil || !at.found || !c.done() {
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
	c := path.cursor()
	at, err := resolve(doc, &c)
	switch {
	case err != nil:
		return dst, err
	case at.lost:
		return append(dst, doc...), nil
	case value == nil && c.done():
		return appendErased(dst, doc, at), nil
	case at.found:
		dst = append(dst, doc[:at.from]...)
		dst, err = appendRest(dst, &c, value, FillMax)
		return append(dst, doc[at.to:]...), err
	}
	dst = append(dst, doc[:at.end]...)
	if at.count > 0 {
		dst = append(dst, ',')
	}
	fill := int64(FillMax)
	if doc[at.open] == '{' {
		dst = append(appendQuoted(dst, at.seg.key), ':')
	} else if dst, fill, err = appendFill(dst, at.index-at.count, fill); err != nil {
		return dst, err
	}
	dst, err = appendRest(dst, &c, value, fill)
	return append(dst, doc[at.end:]...), err
}

// place is where a segment leads in a container.
type place struct {
	open     int     // of the container
	seg      segment // what was asked for
	index    int64   // the same, in an array
	found    bool    // there is a value,
	from, to int     // and this is it
	lost     bool    // the segment names nothing in this kind of container
	count    int64   // items passed; all, if not found
	end      int     // behind the last of them, where another one goes
}

// resolve follows c into doc as far as there are containers. It returns the place of the last segment
// it took from c.
func resolve(doc []byte, c *cursor) (place, error) {
	open := skipSpace(doc, 0)
	if open >= len(doc) || !isOpener(doc[open]) {
		return place{}, ErrRoot
	}
	for {
		at, ok := find(doc, open, c.next())
		if !ok {
			return at, ErrSyntax
		}
		if c.done() || !at.found || !isOpener(doc[at.from]) {
			return at, nil
		}
		open = at.from
	}
}

// find looks seg up in the container opened at b[open]. It reports false for malformed text.
func find(b []byte, open int, seg segment) (at place, ok bool) {
	at = place{open: open, seg: seg, end: open + 1}
	opener := b[open]
	if opener == '[' {
		if at.index, ok = arrayIndex(seg.key); !ok {
			at.lost = true
			return at, true
		}
	}
	if empty(b, open) {
		return at, true
	}
	for i := open + 1; ; {
		it, ok := scanItem(b, i, opener)
		if !ok {
			return at, false
		}
		if opener == '[' {
			at.found = at.count == at.index
		}
		// The last member of a name is the one that JSON parsers keep, so objects are read to their end.
		if at.found && opener == '[' || opener == '{' && sameKey(it.key, seg.key) {
			at.found, at.from, at.to = true, it.from, it.to
		}
		at.count, at.end, i = at.count+1, it.to, it.sep+1
		if b[it.sep] != ',' || at.found && opener == '[' {
			return at, true
		}
	}
}

// appendErased appends doc without what was found at a place.
func appendErased(dst, doc []byte, at place) []byte {
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
		it, _ := scanItem(doc, i, '{') // find has seen them all
		if !sameKey(it.key, at.seg.key) {
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

// appendRest appends the containers that the remaining segments of c ask for, with value inside, or
// without it if it is nil or the last segment names nothing. It adds at most fill nulls.
func appendRest(dst []byte, c *cursor, value []byte, fill int64) ([]byte, error) {
	var (
		closers [SegmentsMax]byte
		depth   int
		err     error
	)
	for !c.done() {
		seg := c.next()
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
		index, ok := arrayIndex(seg.key)
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
