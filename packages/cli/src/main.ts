#!/usr/bin/env node
/**
 * The `secret-chats` command.
 */
