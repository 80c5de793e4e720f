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
	Upgrade bool  // asks for a WebSocket, not necessarily correctly
	Length  int64 // bytes of the body; Chunked if only its end will tell

	fields []byte // every header line with its CRLF
	major  byte   // version as sent
	minor  byte
	length bool // there is a content-length
}

// Chunked is the Length of a body that comes in chunks.
const Chunked int64 = -1

// ParseHead parses a request head up to and including its blank line. It is stricter than most
// about what could be read in two ways (folded lines, blanks around names, bare CR or LF, other
// control characters, any doubt about where the body ends) and indifferent to the rest. The error is a
// *HeadError.
func ParseHead(b []byte) (Head, error) {
	if len(b) > HeadBytesMax {
		return Head{}, flawed(FlawSize)
	}
	line, rest, ok := cutLine(b)
	if !ok {
		return Head{}, flawed(FlawLineEnd)
	}
	var h Head
	if !h.parseRequestLine(line) {
		return Head{}, flawed(FlawSyntax)
	}
	fields := rest
	for n := 0; ; n++ {
		if line, rest, ok = cutLine(rest); !ok {
			return Head{}, flawed(FlawLineEnd)
		}
		if len(line) == 0 {
			break
		}
		if n == HeadFieldsMax {
			return Head{}, flawed(FlawSize)
		}
		if flaw := h.field(line); flaw != FlawNone {
			return Head{}, flawed(flaw)
		}
	}
	if len(rest) > 0 {
		return Head{}, flawed(FlawSyntax)
	}
	if flaw := h.framing(); flaw != FlawNone {
		return Head{}, flawed(flaw)
	}
	h.fields = fields[:len(fields)-len("\r\n")]
	return h, nil
}

// field takes one header line.
func (h *Head) field(line []byte) Flaw {
	name, value, ok := cutField(line)
	switch {
	case line[0] == ' ' || line[0] == '\t':
		return FlawFolded
	case !ok:
		return FlawFieldName
	}
	return h.note(name, value)
}

// framing refuses what two readers could understand as bodies of different sizes. RFC 9112 §6.1, §6.3.
func (h *Head) framing() Flaw {
	switch {
	case h.major != '1':
		return FlawVersion
	case h.Length != Chunked:
		return FlawNone
	case h.length:
		return FlawTwoLengths
	case h.minor == '0': // HTTP/1.0 knows no chunks
		return FlawCoding
	}
	return FlawNone
}

// LastHTTP reports whether no other request may follow on the connection.
func (h *Head) LastHTTP() bool {
	if bytes.Contains(bytes.ToLower(h.Field("connection")), []byte("close")) {
		return true
	}
	return h.minor == '0'
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
	h.Method, h.major, h.minor = method, version[5], version[7]
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

// note keeps what one field means to us, or says what is wrong with it. RFC 9112 §3.2, §6.
func (h *Head) note(name, value []byte) Flaw {
	switch {
	case equalFold(name, "host"):
		if h.Host != nil {
			return FlawHost
		}
		h.Host = value
	case equalFold(name, "origin"):
		h.Origin = value
	case equalFold(name, "upgrade"):
		h.Upgrade = h.Upgrade || equalFold(value, "websocket")
	case equalFold(name, "transfer-encoding"):
		if h.Length == Chunked || !equalFold(value, "chunked") {
			return FlawCoding
		}
		h.Length = Chunked
	case equalFold(name, "content-length"):
		n, ok := decimal(value)
		if h.length || !ok {
			return FlawLength
		}
		h.length = true
		if h.Length != Chunked {
			h.Length = n
		}
	}
	return FlawNone
}

// decimal reads a number of digits alone: no sign, no blank, no list.
func decimal(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	for _, c := range b {
		if !isDigit(c) {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, true
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
