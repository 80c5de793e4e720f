package ws

import "bytes"

const (
	// HeadBytesMax is the largest request head, its blank line included.
	HeadBytesMax = 8 << 10
	// HeadFieldsMax is the largest number of header fields in it.
	HeadFieldsMax = 100
)

// HeadEnd returns the index behind the blank line that ends the request head in b, or -1. The
// caller passes as from how many bytes of b an earlier call has seen already, so that a head that
// trickles in is scanned once.
func HeadEnd(b []byte, from int) int {
	start := max(0, from-len("\r\n\r"))
	i := bytes.Index(b[start:], []byte("\r\n\r\n"))
	if i < 0 {
		return -1
	}
	return start + i + len("\r\n\r\n")
}

// Head is a parsed HTTP/1 request head. Its slices are views into the parsed bytes.
type Head struct {
	Method  []byte
	Path    []byte // of the target, without the query; not decoded
	Query   []byte // behind the "?", or nil
	Host    []byte // nil if absent, as in the next one
	Origin  []byte
	Upgrade bool // asks for a WebSocket, not necessarily correctly

	fields []byte // every header line with its CRLF
	body   bool   // announces a body
}

// ParseHead parses a request head up to and including its blank line. It is stricter than most
// about what could be read in two ways (folded lines, blanks around names, bare CR or LF, other
// control characters) and indifferent to the rest. The error is a StatusError.
func ParseHead(b []byte) (Head, error) {
	if len(b) > HeadBytesMax {
		return Head{}, StatusError(431)
	}
	line, rest, ok := cutLine(b)
	if !ok {
		return Head{}, StatusError(400)
	}
	var h Head
	if !h.parseRequestLine(line) {
		return Head{}, StatusError(400)
	}
	fields := rest
	for n := 0; ; n++ {
		if line, rest, ok = cutLine(rest); !ok {
			return Head{}, StatusError(400)
		}
		if len(line) == 0 {
			break
		}
		if n == HeadFieldsMax {
			return Head{}, StatusError(431)
		}
		name, value, ok := cutField(line)
		if !ok || !h.note(name, value) {
			return Head{}, StatusError(400)
		}
	}
	if len(rest) > 0 {
		return Head{}, StatusError(400)
	}
	h.fields = fields[:len(fields)-len("\r\n")]
	return h, nil
}

// Field returns the value of the first field called name (lower case), or nil.
func (h *Head) Field(name string) []byte {
	for rest := h.fields; len(rest) > 0; {
		var line []byte
		line, rest, _ = cutLine(rest)
		if key, value, _ := cutField(line); equalFold(key, name) {
			return value
		}
	}
	return nil
}

func (h *Head) parseRequestLine(line []byte) bool {
	method, rest, ok := bytes.Cut(line, []byte(" "))
	if !ok || !isToken(method) {
		return false
	}
	target, version, ok := bytes.Cut(rest, []byte(" "))
	if !ok || len(target) == 0 || len(version) != len("HTTP/1.1") || !bytes.HasPrefix(version, []byte("HTTP/")) {
		return false
	}
	if !isDigit(version[5]) || version[6] != '.' || !isDigit(version[7]) {
		return false
	}
	h.Method = method
	h.Path, h.Query, ok = bytes.Cut(originForm(target), []byte("?"))
	if !ok {
		h.Query = nil
	}
	return true
}

// originForm strips scheme and authority, which a server MUST accept. RFC 9112 §3.2.2.
func originForm(target []byte) []byte {
	if target[0] == '/' {
		return target
	}
	scheme, rest, ok := bytes.Cut(target, []byte("://"))
	if !ok || !isToken(scheme) {
		return target
	}
	if i := bytes.IndexAny(rest, "/?"); i >= 0 {
		return rest[i:]
	}
	return []byte("/")
}

// note keeps what one field means to us. It returns false for a second Host, which two readers of
// the head could take for different ones. RFC 9112 §3.2.
func (h *Head) note(name, value []byte) bool {
	switch {
	case equalFold(name, "host"):
		if h.Host != nil {
			return false
		}
		h.Host = value
	case equalFold(name, "origin"):
		h.Origin = value
	case equalFold(name, "upgrade"):
		h.Upgrade = h.Upgrade || equalFold(value, "websocket")
	case equalFold(name, "transfer-encoding"):
		h.body = true
	case equalFold(name, "content-length"):
		h.body = h.body || string(value) != "0"
	}
	return true
}

// cutLine splits b behind its first CRLF. A line with a control character other than the tab is no
// line; so a bare CR or LF never ends or hides one.
func cutLine(b []byte) (line, rest []byte, ok bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 1 || b[i-1] != '\r' {
		return nil, nil, false
	}
	line = b[:i-1]
	for _, c := range line {
		if c < ' ' && c != '\t' || c == 0x7F {
			return nil, nil, false
		}
	}
	return line, b[i+1:], true
}

func cutField(line []byte) (name, value []byte, ok bool) {
	name, value, ok = bytes.Cut(line, []byte(":"))
	return name, bytes.Trim(value, " \t"), ok && isToken(name)
}

// isToken reports whether b is a token. RFC 9110 §5.6.2.
func isToken(b []byte) bool {
	for _, c := range b {
		if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'z') && bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), c) < 0 {
			return false
		}
	}
	return len(b) > 0
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// equalFold compares b with lower, which is in lower case, ignoring the case of ASCII letters.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if lowerByte(c) != lower[i] {
			return false
		}
	}
	return true
}

func lowerByte(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}
