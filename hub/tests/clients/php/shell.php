<?php
/*
 * A client of central as a web portal ran it in 2014: php-ssh2 and a shell, which has a terminal.
 * Lines of standard input go to the server; what the server sends goes to standard output as it is.
 *
 *   php shell.php HOST PORT USER PUBLIC_KEY_FILE PRIVATE_KEY_FILE HOST_KEY_MD5
 *
 * Exit status: the one of the session; 255 when there was no session.
 */
list(, $host, $port, $user, $public, $private, $known) = $argv;

$connection = ssh2_connect($host, (int) $port);
if (!$connection) {
    fwrite(STDERR, "no connection\n");
    exit(255);
}
$fingerprint = ssh2_fingerprint($connection, SSH2_FINGERPRINT_MD5 | SSH2_FINGERPRINT_HEX);
if ($fingerprint != $known) {
    fwrite(STDERR, "wrong server: $fingerprint\n");
    exit(255);
}
if (!ssh2_auth_pubkey_file($connection, $user, $public, $private)) {
    fwrite(STDERR, "no login\n");
    exit(255);
}

$central = ssh2_shell($connection, 'xterm');
stream_set_blocking($central, false);

$stdin_open = true;
while (!feof($central)) {
    while (($line = fgets($central)) !== false) {
        fwrite(STDOUT, $line);
    }
    // php-ssh2 streams can't be selected: look at the keyboard for 20 ms, then at the server again.
    $read = $stdin_open ? array(STDIN) : array();
    $write = $except = null;
    if (!$read) {
        usleep(20000);
    } elseif (stream_select($read, $write, $except, 0, 20000)) {
        $line = fgets(STDIN);
        if ($line === false) {
            $stdin_open = false;
        } else {
            fwrite($central, $line);
        }
    }
}
$meta = stream_get_meta_data($central);
exit($meta['exit_status']);
