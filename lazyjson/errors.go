package lazyjson

import "errors"

// Why a path or a patch is refused. All are the sender's fault, except that ErrRoot and ErrSyntax may
// also mean a document which should not have been stored.
var (
	ErrPathEmpty     = errors.New("lazyjson: path names nothing")
	ErrPathForbidden = errors.New("lazyjson: path leads to the prototype of an object")
	ErrPathEncoding  = errors.New("lazyjson: path is not UTF-8")
	ErrPathTooLong   = errors.New("lazyjson: path is too long")
	ErrRoot          = errors.New("lazyjson: document is neither object nor array")
	ErrSyntax        = errors.New("lazyjson: not JSON")
	ErrFill          = errors.New("lazyjson: index is too far behind the end of the array")
	ErrTooDeep       = errors.New("lazyjson: patched document is nested too deep")
	ErrTooLarge      = errors.New("lazyjson: document is too large")
	ErrPatches       = errors.New("lazyjson: patches are not a list of objects with a path")
	ErrTooMuch       = errors.New("lazyjson: too many patches for one message")
)
