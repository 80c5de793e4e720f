package lazyjson

import "golang.org/x/sys/cpu"

// plain returns the index of the first quote, backslash or control in s, or of the last bytes, fewer than 32,
// which are not looked at. It may give up earlier, at 0 for example.
func plain(s []byte) int {
	if !cpu.X86.HasAVX2 {
		return 0
	}
	return plainAVX2(s)
}

// plainAVX2 is in plain_amd64.s. It reads s and nothing else.
//
//go:noescape
func plainAVX2(s []byte) int
