<?php
/*
 * A client of central as a bot ran it in 2014: php-ssh2 and a command, which has no terminal.
 * Standard input goes to the server; what the server sends goes to standard output as it is.
 *
 *   php exec.php HOST PORT USER PUBLIC_KEY_FILE PRIVATE_KEY_FILE COMMAND
 *
 * Exit status: the one of the session; 255 when there was no session.
 */
list(, $host, $port, $user, $public, $private, $command) = $argv;

if (!($connection = ssh2_connect($host, (int) $port))) {
    exit(255);
}
if (!ssh2_auth_pubkey_file($connection, $user, $public, $private)) {
    fwrite(STDERR, "no login\n");
    exit(255);
}
$central = ssh2_exec($connection, $command);
$errors = ssh2_fetch_stream($central, SSH2_STREAM_STDERR);
stream_set_blocking($central, false);
stream_set_blocking($errors, false);
stream_set_blocking(STDIN, false);

do {
    fwrite(STDERR, (string) fread($errors, 8192));
    $received = (string) fread($central, 8192);
    fwrite(STDOUT, $received);
    $typed = (string) fread(STDIN, 8192);
    if ($typed != '') {
        fwrite($central, $typed);
    }
    if ($received == '' && $typed == '') {
        usleep(20000);
    }
} while (!feof($central));

$meta = stream_get_meta_data($central);
exit($meta['exit_status']);
