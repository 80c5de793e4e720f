package password

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"hash"
	"maps"
	"slices"
	"strings"

	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/blake2s"
	"golang.org/x/crypto/ripemd160" //nolint:staticcheck // hashes that official servers wrote are to be checked
)

// digests by the names that the official server's crypto library gives them.
var digests = map[string]func() hash.Hash{
	"md5":        md5.New,
	"sha1":       sha1.New,
	"sha224":     sha256.New224,
	"sha256":     sha256.New,
	"sha384":     sha512.New384,
	"sha512":     sha512.New,
	"sha512-224": sha512.New512_224,
	"sha512-256": sha512.New512_256,
	"sha3-224":   func() hash.Hash { return sha3.New224() },
	"sha3-256":   func() hash.Hash { return sha3.New256() },
	"sha3-384":   func() hash.Hash { return sha3.New384() },
	"sha3-512":   func() hash.Hash { return sha3.New512() },
	"ripemd160":  ripemd160.New,
	"blake2b512": func() hash.Hash { h, _ := blake2b.New512(nil); return h }, // fails with a key only
	"blake2s256": func() hash.Hash { h, _ := blake2s.New256(nil); return h },
}

// aliases are further names of the same digests. They are case-sensitive, as in the official server.
var aliases = map[string]string{
	"ripemd": "ripemd160", "rmd160": "ripemd160", "ripemd160WithRSA": "ripemd160", "RSA-RIPEMD160": "ripemd160",
	"RSA-MD5": "md5", "md5WithRSAEncryption": "md5", "ssl3-md5": "md5",
	"RSA-SHA1": "sha1", "RSA-SHA1-2": "sha1", "sha1WithRSAEncryption": "sha1", "ssl3-sha1": "sha1",
	"RSA-SHA224": "sha224", "sha224WithRSAEncryption": "sha224",
	"RSA-SHA256": "sha256", "sha256WithRSAEncryption": "sha256",
	"RSA-SHA384": "sha384", "sha384WithRSAEncryption": "sha384",
	"RSA-SHA512": "sha512", "sha512WithRSAEncryption": "sha512",
	"RSA-SHA512/224": "sha512-224", "sha512-224WithRSAEncryption": "sha512-224",
	"RSA-SHA512/256": "sha512-256", "sha512-256WithRSAEncryption": "sha512-256",
	"RSA-SHA3-224": "sha3-224", "id-rsassa-pkcs1-v1_5-with-sha3-224": "sha3-224",
	"RSA-SHA3-256": "sha3-256", "id-rsassa-pkcs1-v1_5-with-sha3-256": "sha3-256",
	"RSA-SHA3-384": "sha3-384", "id-rsassa-pkcs1-v1_5-with-sha3-384": "sha3-384",
	"RSA-SHA3-512": "sha3-512", "id-rsassa-pkcs1-v1_5-with-sha3-512": "sha3-512",
}

// digestOf returns the digest called name, nil if there is none.
func digestOf(name string) func() hash.Hash {
	if of, ok := aliases[name]; ok {
		name = of
	}
	return digests[name]
}

// Digests lists the names of all digests, without their aliases.
func Digests() []string { return slices.Sorted(maps.Keys(digests)) }

// KnownDigest reports whether name is a digest or an alias of one.
func KnownDigest(name string) bool { return digestOf(name) != nil }

// IsArgon reports whether a stored text says itself that it is an Argon2id hash.
func IsArgon(stored string) bool { return strings.HasPrefix(stored, argonPrefix) }
