package lazyjson

import "bytes"

const (
	// PatchesMax is the largest number of patches in one list.
	PatchesMax = 10_000
	// MultiBytesMax bounds the work of one list, since each patch rewrites the document: the sizes of
	// the document before every patch may add up to this.
	MultiBytesMax = 32 << 20
)

// The members of a patch. Others are ignored.
var (
	patchPath = Path{text: []byte("path"), segments: 1}
	patchData = Path{text: []byte("data"), segments: 1}
)

// SetMulti appends doc to dst with a list of patches applied in order, all or none, and returns the
// extended slice. patches is a JSON array, not empty, of objects {"path": string, "data": any}; one
// without data erases. doc and patches must be valid; neither may lie in the free capacity of dst. Beside
// the errors of ParsePath, Set and Erase it returns ErrPatches and ErrTooMuch. It allocates only to
// grow dst, to twice the size of the document. Source: record handler, PATCH_MULTI.
func SetMulti(dst, doc, patches []byte) ([]byte, error) {
	base := len(dst)
	open := skipSpace(patches, 0)
	if open >= len(patches) || patches[open] != '[' || empty(patches, open) {
		return dst, ErrPatches
	}
	work := 0
	for n, i := 1, open+1; ; n++ {
		it, ok := scanItem(patches, i, '[')
		if !ok {
			return dst[:base], ErrSyntax
		}
		if work += len(doc); n > PatchesMax || work > MultiBytesMax {
			return dst[:base], ErrTooMuch
		}
		// The next document is written behind the current one and then takes its place.
		end := len(dst)
		var err error
		if dst, err = applyPatch(dst, doc, patches[it.from:it.to]); err != nil {
			return dst[:base], err
		}
		dst = dst[:base+copy(dst[base:], dst[end:])]
		doc = dst[base:]
		if patches[it.sep] != ',' {
			return dst, nil
		}
		i = it.sep + 1
	}
}

// applyPatch appends doc to dst with one element of a list applied.
func applyPatch(dst, doc, element []byte) ([]byte, error) {
	if element[0] != '{' {
		return dst, ErrPatches
	}
	where, ok := Get(element, patchPath)
	if !ok || where[0] != '"' {
		return dst, ErrPatches
	}
	var buf [256]byte
	text, err := unquote(buf[:0], where[1:len(where)-1])
	if err != nil {
		return dst, err
	}
	path, err := ParsePath(text)
	if err != nil {
		return dst, err
	}
	if value, ok := Get(element, patchData); ok {
		return Set(dst, doc, path, value)
	}
	return Erase(dst, doc, path)
}

// unquote returns what the spelled path says: the same bytes, or those appended to buf.
func unquote(buf, spelled []byte) ([]byte, error) {
	if bytes.IndexByte(spelled, '\\') < 0 {
		return spelled, nil
	}
	if len(spelled) > PathBytesMax*len(`\u0000`) {
		return nil, ErrPathTooLong
	}
	text, exact := AppendUnescaped(buf, spelled)
	if !exact {
		return nil, ErrPathEncoding
	}
	return text, nil
}
