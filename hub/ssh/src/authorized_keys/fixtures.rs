//! What the tests share: public keys made by ssh-keygen, without comments, and times.

use std::time::SystemTime;

use jiff::Timestamp;

/// A time as RFC 3339 writes it.
pub(super) fn time(text: &str) -> SystemTime {
    text.parse::<Timestamp>().unwrap().into()
}

/// Fingerprint SHA256:56LjRkI6ApHOGuGyAKprKeCLN8GFoO0tA3Wm5aoPSTg.
pub(super) const ED25519: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHV4diIw3bjwZkspRTkB0NxwePok2kq4hlzfx+3QtI0g";

/// Another one.
pub(super) const OTHER_ED25519: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDQy1UjZtXUmR7GtBTE4k77mxMAGGdQPURMzgmpTbxH+";

/// NIST P-256.
pub(super) const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBJ25silaMLbG0t+Lkk3wx98ZykhH2EyYJ14GcrkenA7S9gt/XAXSy8xTiIT0Uvas43h5xPLl//A19rR8wlkH014=";

/// 2048 bits.
pub(super) const RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQChjq125pwWoCoKIpdp3Z0huf2uSWB0a2P4ldS+Ecgq8s+LYTZRmb/QZ7x1GGAFF7wnbAJZ/RSkzisBRqG49W202uY6YhN15DPp3PDq5lTo+bWX7OqOP0nmB0FS4rm3qg/wd7+bPYCV1z9raOXN3lutO/926DGB4bZCiT9YWeJv3nD5eP45aJBxQNkl+iq8aebaAy2qsCuWDbWYeNsUObFsZhod1YfAJ2724DEylfeYCayBccc9hJ4di/U3KLkQAk6j3xxe4g8pGNyPbzXhFZPdJM5eeXZafpwXnZ6aAD59MkEkFHdE8tiEKxCoZDzaqsuAOTLX1NIXNGJYosa29AqN";

/// 1024 bits.
pub(super) const DSA: &str = "ssh-dss AAAAB3NzaC1kc3MAAACBAO6N5WyId8vkJeJKvAnMvmVd++YCsM3YrOSJBwj+qb6+AJ8x5AVdlJgK7BSDP5k7sOlfpu2AsPUZocKxYdvsWqKPEyO48hM01RFHnHH9N81SxW+FaljHH+FE34pJNoJ+lipVLOOLGaFl4JJodYenwL1CYpIlvASdtIzPQDZ3Pl4jAAAAFQCiX8ZWO72KN8v1a+pAcEm1SDJmRQAAAIEAzdXKroyoQeDfxVz3d+O5CTjgLaf7dttsIJ6Q8cTBDLO8jY1U1nFAUCrnc83HEXB9MqEVi6yaCQZpCHtci3VtpVSwzeEFLNX/CqYJ5ZcZkLPxSmDrh7d6A3of3nmADnJ2DvEp3escS/f+P1mOaF4y3YctC8meNP+cjIEPQPNyOvoAAACBANjIgTd7pXO5kW5yoQTxSrhs+0HHRGT5qgtMd+ZaEXg6V67aku+wsLZLhUMlN9E7NzPeJJ9cNpPaKwa1SnYES04M+tRQNZ3m7EkH3p5EgfRRvBJETOM9MLjHfNu6JSauysGd/gQx9lgwp5OztZHeX4KsZNOdlaR+rqqrGa0NiQFT";

/// `sk-ssh-ed25519@openssh.com`.
pub(super) const SECURITY_KEY: &str = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIHV4diIw3bjwZkspRTkB0NxwePok2kq4hlzfx+3QtI0gAAAABHNzaDo=";
