//! The control server on a link made of channels.

#[cfg(test)]
mod reverse_names;
#[cfg(test)]
mod services;
#[cfg(test)]
mod support;
