package password

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

const (
	argonPrefix  = "$argon2id$"
	argonVersion = 0x13
)

// Argon2id of new hashes: the least that OWASP advises, because the server has to afford it at every
// login.
const (
	argonMemoryKiB = 19 << 10
	argonTime      = 2
	argonLanes     = 1
	argonKeyBytes  = 32
)

// Bounds of hashes that are read.
const (
	argonMemoryKiBMax = 256 << 10
	argonLanesMax     = 16
	argonCostMax      = 1 << 20 // KiB written, memory times passes: about a second
	argonBytesMin     = 8       // of salt and key, as in RFC 9106
	argonBytesMax     = 64
)

// argon is the parameters of one hash.
type argon struct {
	memoryKiB uint32
	time      uint32
	lanes     uint8
}

func (a *argon) key(given, salt string, length int) []byte {
	return argonKey(*a, []byte(given), []byte(salt), length)
}

// NewArgon returns the Argon2id hash of given, in PHC form.
func NewArgon(given string) string {
	a := argon{argonMemoryKiB, argonTime, argonLanes}
	salt := randomBytes(saltBytes)
	return a.format(salt, a.key(given, string(salt), argonKeyBytes))
}

func (a *argon) format(salt, key []byte) string {
	return fmt.Sprintf("%sv=%d$m=%d,t=%d,p=%d$%s$%s", argonPrefix, argonVersion, a.memoryKiB, a.time, a.lanes,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

// ArgonDecoy costs what a hash of NewArgon costs and matches nothing.
func ArgonDecoy() *Hash {
	return (&Hash{argon: &argon{argonMemoryKiB, argonTime, argonLanes}, length: argonKeyBytes}).Decoy()
}

// parseArgon reads the PHC form. What it can't use becomes a decoy with the cost of new hashes.
func parseArgon(stored string) (*Hash, error) {
	fail := func(why string) (*Hash, error) { return ArgonDecoy(), fmt.Errorf("%w: %s", ErrArgon, why) }
	parts := strings.Split(stored, "$") // "", "argon2id", version, parameters, salt, key
	if len(parts) != 6 {
		return fail("expected $argon2id$v=19$m=…,t=…,p=…$salt$key")
	}
	if parts[2] != "v="+strconv.Itoa(argonVersion) {
		return fail("expected version v=19")
	}
	a, why := parseParameters(parts[3])
	if why != "" {
		return fail(why)
	}
	salt, err := decodePart(parts[4])
	if err != nil {
		return fail("the salt is not 8 to 64 bytes of base64 without padding")
	}
	key, err := decodePart(parts[5])
	if err != nil {
		return fail("the key is not 8 to 64 bytes of base64 without padding")
	}
	return &Hash{argon: a, salt: string(salt), key: key, length: len(key)}, nil
}

// parseParameters reads "m=19456,t=2,p=1" and says why it does not.
func parseParameters(text string) (*argon, string) {
	fields := strings.Split(text, ",")
	if len(fields) != 3 {
		return nil, "expected the parameters m, t and p"
	}
	var values [3]uint64
	for i, name := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(fields[i], name)
		v, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || strconv.FormatUint(v, 10) != digits {
			return nil, "expected the parameters m, t and p as integers"
		}
		values[i] = v
	}
	m, t, p := values[0], values[1], values[2]
	switch {
	case p < 1 || p > argonLanesMax:
		return nil, fmt.Sprintf("p must be 1 to %d", argonLanesMax)
	case m < 8*p || m > argonMemoryKiBMax:
		return nil, fmt.Sprintf("m must be 8 times p to %d KiB", argonMemoryKiBMax)
	case t < 1 || m*t > argonCostMax:
		return nil, fmt.Sprintf("m times t must be 1 to %d", argonCostMax)
	}
	return &argon{uint32(m), uint32(t), uint8(p)}, ""
}

func decodePart(text string) ([]byte, error) {
	b, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < argonBytesMin || len(b) > argonBytesMax || strings.ContainsAny(text, "\r\n") {
		return nil, ErrArgon
	}
	return b, nil
}
